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
    let limiter: RateLimiter
    let connections: WorkerConnections
    /// `nil` where no answers can be kept.
    let answers: AnswerCache?
    let unreserved: UnreservedInvocations
    let logger: Logger

    init(
        ledger: Ledger, tokens: TokenKey, limiter: RateLimiter, connections: WorkerConnections, answers: AnswerCache?, logger: Logger
    ) {
        (self.ledger, self.tokens, self.limiter, self.connections) = (ledger, tokens, limiter, connections)
        (self.answers, self.logger) = (answers, logger)
        unreserved = UnreservedInvocations(ledger: ledger)
    }

    func respond(to request: Request, context: GatewayContext, function: FunctionRunner, route: Route) async throws -> Response {
        guard let caller = context.caller else { throw APIError.internalError }
        let limit = function.manifest.limits.body
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw APIError.tooLarge(limit: limit) }

        let invocation = try Invocation(
            id: context.invocationID, caller: caller, function: function.manifest, version: function.version, route: route, tokens: tokens)
        var request = request
        var idempotent: IdempotentRequest?
        var inquiry: AnswerCache.Inquiry?
        let token = caller.parent == nil ? try IdempotencyKey.token(of: request) : nil
        let isLookedUp = caller.parent == nil && answers != nil && AnswerCache.takes(request, function)
        if token != nil || isLookedUp {
            let whole = try await LimitedBody(base: request.body, limit: limit).collect(upTo: limit)
            request.body = RequestBody(buffer: whole)
            if let token {
                let fingerprint = IdempotencyKey.fingerprint(of: request, body: whole)
                let claimed = IdempotentRequest(key: caller.key, token: token, fingerprint: fingerprint, invocation: invocation.id)
                if let response = try IdempotencyKey.response(to: await ledger.claim(claimed)) { return response }
                idempotent = claimed
            }
            if isLookedUp { inquiry = await answers?.inquiry(request, body: whole, function, caller) }
        }
        let call = FunctionCall(
            invocation: invocation, function: function, route: route, original: request,
            request: FastCGIRequest(
                request, parameters: context.parameters, function: function, route: route, invocation: invocation),
            tryAgain: { [ledger, tokens, unreserved] in
                try await unreserved.reserve(invocation.id)
                try await ledger.giveUp(invocation.attempt, of: invocation.id)
                return try invocation.triedAgain(tokens).token
            },
            eventLoop: context.channel.eventLoop, logger: context.logger)
        let (admitted, asked) = (idempotent, inquiry)
        let relay = Relay(on: EventLoopExecutor.of(context.channel.eventLoop)) { parts in
            await run(call, for: caller, idempotent: admitted, inquiry: asked, into: parts)
        }
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
    /// which is admitted, limited and settled where it began.
    private func run(
        _ call: FunctionCall, for caller: Caller, idempotent: IdempotentRequest?, inquiry: AnswerCache.Inquiry?, into parts: Relay.Parts
    ) async {
        guard caller.parent == nil else {
            do {
                try await unreserved.reserve(call.invocation.id)
            } catch {
                return parts.fail(error)
            }
            answers?.calledFunction(in: call.invocation.id)
            let sink = ResponseSink(parts, holds: false)
            let outcome = await call.run(connections: connections, into: sink)
            return await finish(outcome, [:], sink)
        }
        let ticket: RateLimiter.Ticket?
        do {
            ticket = try limiter.begin(caller.key, caller.limits)
        } catch {
            await unclaim(idempotent)
            return parts.fail(error)
        }
        var common = ticket?.headers ?? [:]
        var fee: Fee
        let isReserved: Bool
        do {
            if let inquiry, let entry = await answers?.find(inquiry) {
                var (head, body) = try await replay(entry, call, idempotent: idempotent)
                ticket?.end(tokens: 0)
                head.headerFields.append(contentsOf: common)
                await parts.send(.head(head))
                await parts.send(.body(body))
                return parts.finish()
            }
            fee = try await ledger.fee(of: call.function.manifest.name)
            isReserved = idempotent != nil || inquiry != nil || call.invocation.mayHold(fee)
            if isReserved {
                fee = try await ledger.reserve(call.invocation.reservation)
            } else {
                unreserved.begin(call.invocation.reservation)
            }
        } catch {
            ticket?.end(tokens: 0)
            await unclaim(idempotent)
            return parts.fail(error)
        }
        if inquiry != nil {
            common[.cacheStatus] = "miss"
            answers?.began(call.invocation.id)
        }
        let sink = ResponseSink(parts, headers: common, holds: true, keeps: idempotent != nil || inquiry != nil)
        var outcome = await idempotent == nil ? call.run(connections: connections, into: sink) : runToTheEnd(call, into: sink)
        if idempotent == nil, Task.isCancelled, !outcome.isDone { outcome.status = .clientClosed }

        if !isReserved { unreserved.end(call.invocation.id) }
        let bill = Bill(invocation: call.invocation, outcome: outcome, fee: fee, isReserved: isReserved, ledger: ledger, logger: logger)
        var answering: (request: IdempotentRequest, answer: KeptAnswer)?
        // Once: it takes the last piece in.
        let kept = outcome.error == nil ? sink.kept(with: outcome.lastPiece) : nil
        if let idempotent, let kept {
            answering = IdempotencyKey.answer(kept.head, body: kept.body).map { (request: idempotent, answer: $0) }
        }
        let calledNoFunction = inquiry != nil && answers?.ended(call.invocation.id) == true
        var headers = HTTPFields()
        do {
            let record = try await bill.settle(answering: answering)
            if let inquiry, calledNoFunction, let kept {
                await answers?.keep(inquiry, kept.head, body: kept.body, of: record, for: caller)
            }
            let tokens = record.usage.totalTokens
            ticket?.end(tokens: tokens)
            if tokens > 0 { call.function.record(tokens: tokens, key: record.key) }
            headers = record.headers
        } catch {
            ticket?.end(tokens: 0)
            outcome.error = outcome.error ?? APIError.internalError
            // Its client gets an error in place of an answer that was held, unless it can ask for that again.
            if answering == nil, !sink.hasBegun { (outcome.status, outcome.httpStatus) = (.failed, 500) }
            Bill(invocation: call.invocation, outcome: outcome, fee: fee, isReserved: isReserved, ledger: ledger, logger: logger)
                .settleLater(error, answering: answering)
        }
        if answering == nil { await unclaim(idempotent) }
        await finish(outcome, headers, sink)
    }

    /// Runs a call that its client can ask for again, whether or not the client still listens.
    private func runToTheEnd(_ call: FunctionCall, into sink: ResponseSink) async -> FunctionCall.Outcome {
        let work = Task { await call.run(connections: connections, into: sink) }
        return await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            sink.abandon()
        }
    }

    private func unclaim(_ idempotent: IdempotentRequest?) async {
        guard let idempotent else { return }
        do {
            try await ledger.unclaim(idempotent)
        } catch {
            logger.warning("the Idempotency-Key of invocation \(idempotent.invocation) stays in use until the next start: \(error)")
        }
    }

    /// Sends the end of a response whose bill is settled.
    private func finish(_ outcome: FunctionCall.Outcome, _ headers: HTTPFields, _ sink: ResponseSink) async {
        // An event stream ends with an event that tells the error. Any other response breaks off; broken off here, the event
        // could be lost, because nginx drops what it has not passed on yet.
        if let error = outcome.error, !outcome.isEventStream {
            sink.fail((error as? APIError).map { ResponseError(error: $0, headers: headers) } ?? error)
        } else {
            if let last = outcome.lastPiece { await sink.send(last) }
            await sink.release(headers)
            sink.finish()
        }
    }
}
