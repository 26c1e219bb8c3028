import FastCGI
import HTTPTypes
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

    /// Answers one call, from admission to settlement.
    /// - Throws: why it was not run.
    func call(_ function: FunctionRunner, _ match: FunctionMatch, for caller: Caller, _ client: ClientExchange) async throws {
        let limit = function.manifest.limits.body
        if let length = client.request.headerFields.first(.contentLength).flatMap(Int.init), length > limit { throw APIError.tooLarge(limit: limit) }
        let invocation = try Invocation(
            id: client.invocation, caller: caller, function: function.manifest, version: function.version, route: match.route,
            tokens: tokens)
        guard caller.parent == nil else { return try await runWithinAnother(call(invocation, function, match, client)) }

        guard let question = try await question(invocation, function, client) else { return }
        let call = call(invocation, function, match, client, body: question.body)
        guard let admission = try await admit(call, question) else { return }
        let sink = ResponseSink(
            client, headers: admission.headers, holds: true, keeps: question.idempotent != nil || question.inquiry != nil)
        var outcome = await question.idempotent == nil ? call.run(connections: connections, into: sink) : runToTheEnd(call, into: sink)
        if question.idempotent == nil, Task.isCancelled, !outcome.isDone { outcome.status = .clientClosed }
        await settle(call, question, admission, outcome, sink)
    }

    private func call(
        _ invocation: Invocation, _ function: FunctionRunner, _ match: FunctionMatch, _ client: ClientExchange, body: ByteBuffer? = nil
    ) -> FunctionCall {
        FunctionCall(
            invocation: invocation, function: function, route: match.route, client: client, collected: body,
            request: FastCGIRequest(client.request, path: match.parameters, function: function, route: match.route, invocation: invocation),
            tryAgain: { [ledger, tokens, unreserved] in
                try await unreserved.reserve(invocation.id)
                try await ledger.giveUp(invocation.attempt, of: invocation.id)
                return try invocation.triedAgain(tokens).token
            }, logger: logger)
    }

    /// A call that a function makes is part of its caller's invocation, which is admitted, limited and settled where it began.
    private func runWithinAnother(_ call: FunctionCall) async throws {
        try await unreserved.reserve(call.invocation.id)
        answers?.calledFunction(in: call.invocation.id)
        let sink = ResponseSink(call.client, holds: false)
        await finish(await call.run(connections: connections, into: sink), [:], sink)
    }

    // MARK: Whether it was asked before

    /// A request that may be a repetition of another.
    private struct Question {
        /// All of the body, where it had to be read for this.
        var body: ByteBuffer?
        var idempotent: IdempotentRequest?
        var inquiry: AnswerCache.Inquiry?
    }

    /// - Returns: `nil` when the client has its answer, that of the same request before.
    private func question(_ invocation: Invocation, _ function: FunctionRunner, _ client: ClientExchange) async throws -> Question? {
        let token = try IdempotencyKey.token(of: client.request)
        let isLookedUp = answers != nil && AnswerCache.takes(client.request, function)
        var question = Question()
        guard token != nil || isLookedUp else { return question }
        let limit = function.manifest.limits.body
        let body = if let body = client.body { try await LimitedBody(base: body, limit: limit).collect() } else { ByteBuffer() }
        question.body = body
        if let token {
            let fingerprint = IdempotencyKey.fingerprint(of: client.request, body: body)
            let claimed = IdempotentRequest(key: invocation.caller.key, token: token, fingerprint: fingerprint, invocation: invocation.id)
            if let answer = try IdempotencyKey.answer(to: await ledger.claim(claimed)) {
                await client.answer(answer)
                return nil
            }
            question.idempotent = claimed
        }
        if isLookedUp { question.inquiry = await answers?.inquiry(client.request, body: body, function, invocation.caller) }
        return question
    }

    // MARK: Admission

    /// What a call was let in with.
    private struct Admission {
        var ticket: RateLimiter.Ticket?
        /// For its response.
        var headers = HTTPFields()
        var fee: Fee
        /// Whether the ledger knows the invocation already.
        var isReserved: Bool
    }

    /// Holds the call to its key's limits and budget.
    /// - Returns: `nil` when the client has its answer, a kept one.
    private func admit(_ call: FunctionCall, _ question: Question) async throws -> Admission? {
        var ticket: RateLimiter.Ticket?
        do {
            ticket = try limiter.begin(call.invocation.caller.key, call.invocation.caller.limits)
            var headers = ticket?.headers ?? [:]
            if let inquiry = question.inquiry, let entry = await answers?.find(inquiry) {
                var answer = try await replay(entry, call, idempotent: question.idempotent)
                ticket?.end(tokens: 0)
                answer.head.headerFields.append(contentsOf: headers)
                await call.client.answer(answer)
                return nil
            }
            var fee = try await ledger.fee(of: call.function.manifest.name)
            let isReserved = question.idempotent != nil || question.inquiry != nil || call.invocation.mayHold(fee)
            if isReserved {
                fee = try await ledger.reserve(call.invocation.reservation)
            } else {
                unreserved.begin(call.invocation.reservation)
            }
            if question.inquiry != nil {
                headers[.cacheStatus] = "miss"
                answers?.began(call.invocation.id)
            }
            return Admission(ticket: ticket, headers: headers, fee: fee, isReserved: isReserved)
        } catch {
            ticket?.end(tokens: 0)
            await unclaim(question.idempotent)
            throw error
        }
    }

    // MARK: Settlement

    /// Settles the invocation, then sends the end of its response.
    private func settle(
        _ call: FunctionCall, _ question: Question, _ admission: Admission, _ outcome: FunctionCall.Outcome, _ sink: ResponseSink
    ) async {
        var outcome = outcome
        let isFree = !admission.isReserved && unreserved.end(call.invocation.id)
        var bill = Bill(
            invocation: call.invocation, outcome: outcome, fee: admission.fee, isReserved: admission.isReserved, ledger: ledger, logger: logger)
        if isFree, outcome.status == .succeeded, unreserved.enter(bill, on: call.client.executor) {
            admission.ticket?.end(tokens: 0)
            return await finish(outcome, bill.record.headers, sink)
        }
        // Once: it takes the last piece in.
        let kept = outcome.error == nil ? sink.kept(with: outcome.lastPiece) : nil
        var answering: (request: IdempotentRequest, answer: KeptAnswer)?
        if let idempotent = question.idempotent, let kept {
            answering = IdempotencyKey.answer(kept.head, body: kept.body).map { (request: idempotent, answer: $0) }
        }
        let calledNoFunction = question.inquiry != nil && answers?.ended(call.invocation.id) == true
        var headers = HTTPFields()
        do {
            let record = try await bill.settle(answering: answering)
            if let inquiry = question.inquiry, calledNoFunction, let kept {
                await answers?.keep(inquiry, kept.head, body: kept.body, of: record, for: call.invocation.caller)
            }
            let tokens = record.usage.totalTokens
            admission.ticket?.end(tokens: tokens)
            if tokens > 0 { call.function.record(tokens: tokens, key: record.key) }
            headers = record.headers
        } catch {
            admission.ticket?.end(tokens: 0)
            outcome.error = outcome.error ?? APIError.internalError
            // Its client gets an error in place of an answer that was held, unless it can ask for that again.
            if answering == nil, !sink.hasBegun { (outcome.status, outcome.httpStatus) = (.failed, 500) }
            bill.outcome = outcome
            if isFree {
                logger.error("invocation \(call.invocation.id), which costs nothing, is not entered: \(error)")
            } else {
                Task { [bill, answering] in await bill.settleInTheEnd(after: error, answering: answering) }
            }
        }
        if isFree { unreserved.forget() }
        if answering == nil { await unclaim(question.idempotent) }
        await finish(outcome, headers, sink)
    }

    /// Runs a call that its client can ask for again, whether or not the client still listens.
    private func runToTheEnd(_ call: FunctionCall, into sink: ResponseSink) async -> FunctionCall.Outcome {
        let work = Task(executorPreference: call.client.executor) { await call.run(connections: connections, into: sink) }
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
            await sink.fail((error as? APIError).map { ResponseError(error: $0, headers: headers) } ?? error)
        } else {
            if let last = outcome.lastPiece { await sink.send(last) }
            await sink.release(headers)
            sink.finish()
        }
    }
}
