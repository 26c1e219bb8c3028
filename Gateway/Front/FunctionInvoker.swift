import FastCGI
import HTTPTypes
import Hummingbird
import Ledger
import Logging
import NIOCore
import Supervisor
import Wire

/// Calls a function for a request: admits it, waits for a worker, relays both ways, settles the bill.
struct FunctionInvoker: Sendable {
    let ledger: Ledger
    let tokens: TokenKey
    let connections: WorkerConnections
    let logger: Logger

    func respond(to request: Request, context: GatewayContext, function: FunctionRunner, route: Route) async throws -> Response {
        guard let caller = context.caller else { throw APIError.internalError }
        let limit = function.manifest.limits.body
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw APIError.tooLarge(limit: limit) }

        let invocation = try Invocation(id: context.invocationID, caller: caller, function: function.manifest, route: route, tokens: tokens)
        let call = FunctionCall(
            invocation: invocation, function: function, route: route, original: request,
            request: FastCGIRequest(
                request, parameters: context.parameters, function: function, route: route, invocation: invocation),
            eventLoop: context.channel.eventLoop, logger: context.logger)
        let relay = Relay(on: EventLoopExecutor.of(context.channel.eventLoop)) { parts in await run(call, into: parts) }
        context.channel.closeFuture.whenComplete { [weak relay] _ in relay?.cancel() }

        let head = try await relay.head()
        if request.method == .head {
            try await relay.body { _ in }
            return Response(status: head.status, headers: head.headerFields)
        }
        let length = head.headerFields[.contentLength].flatMap(Int.init)
        return Response(
            status: head.status, headers: head.headerFields,
            body: ResponseBody(contentLength: length) { writer in
                try await relay.body { try await writer.write($0) }
                try await writer.finish(nil)
            })
    }

    /// One invocation from admission to settlement. A call that a function makes is part of its caller's invocation,
    /// which is admitted and settled where it began.
    private func run(_ call: FunctionCall, into parts: Relay.Parts) async {
        let isNested = call.invocation.caller.parent != nil
        if !isNested {
            do {
                try await ledger.reserve(call.invocation.reservation)
            } catch {
                return parts.fail(error)
            }
        }
        var outcome = await call.run(connections: connections, into: parts)
        if Task.isCancelled { outcome.status = .clientClosed }
        if !isNested {
            do {
                let record = try await settle(call.invocation, outcome)
                let tokens = record.usage.promptTokens + record.usage.completionTokens
                if tokens > 0 { await call.function.record(tokens: tokens, key: record.key) }
            } catch {
                logger.error("the invocation \(call.invocation.id) could not be settled and will be at the next start: \(error)")
                outcome.error = outcome.error ?? APIError.internalError
            }
        }
        if let last = outcome.lastPiece { await parts.send(.body(last)) }
        // An event stream ends with an event that tells the error. Any other response breaks off; broken off here, the event
        // could be lost, because nginx drops what it has not passed on yet.
        if let error = outcome.error, !outcome.isEventStream {
            parts.fail(error)
        } else {
            parts.finish()
        }
    }

    private func settle(_ invocation: Invocation, _ outcome: FunctionCall.Outcome) async throws -> InvocationRecord {
        // A host commits what a call made that its client left at its next token; the report waits for that row.
        if outcome.status == .clientClosed { await Task { try? await Task.sleep(for: .milliseconds(300)) }.value }
        let record = try await ledger.settle(
            invocation.id,
            Settlement(
                status: outcome.status, httpStatus: outcome.httpStatus, duration: invocation.started.duration(to: .now),
                queued: outcome.queued, firstByte: outcome.timeToFirstByte))
        logger.info("\(Report(record: record, isCold: outcome.isCold).line)")
        return record
    }
}
