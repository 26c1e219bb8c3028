import HTTPTypes
import Ledger
import Logging
import NIOCore
import ResponseCache
import Wire

extension FunctionInvoker {
    /// Answers an invocation with an earlier answer: it is billed and settled first, at the cached price, and its `usage` says so.
    func replay(
        _ entry: ResponseCache.Entry, _ call: FunctionCall, idempotent: IdempotentRequest?
    ) async throws -> WholeAnswer {
        let settlement = Settlement(
            status: .succeeded, httpStatus: entry.answer.status, duration: call.invocation.started.duration(to: .now))
        let record = try await ledger.replay(
            call.invocation.reservation, entry.calls, settlement, answering: idempotent.map { ($0, { entry.answer($0) }) })
        logger.info("\(Report(record: record).line)")
        let kept = entry.answer(record)
        var head = kept.head
        head.headerFields.append(contentsOf: record.headers)
        return WholeAnswer(head: head, body: ByteBuffer(bytes: kept.body ?? []))
    }
}

extension ResponseCache.Entry {
    /// The answer as that of the invocation `record`: with its id in place of the one that made it, and its own usage.
    fileprivate func answer(_ record: InvocationRecord) -> KeptAnswer {
        let isEventStream = answer.head.headerFields[.contentType]?.hasPrefix("text/event-stream") == true
        let body = UsageRewriter(calls: record.calls.map(\.usage)).rewrite(answer.body ?? [], isEventStream: isEventStream)
            .replacing("\(invocation)".utf8, with: "\(record.id)".utf8)
        var headers = answer.headers + [[HTTPField.Name.cacheStatus.rawName, "hit"]]
        // A stream is sent again as one.
        if !isEventStream { headers.append([HTTPField.Name.contentLength.rawName, "\(body.count)"]) }
        return KeptAnswer(status: answer.status, headers: headers, body: body)
    }
}

extension KeptAnswer {
    var head: HTTPResponse {
        var fields = HTTPFields()
        for pair in headers where pair.count == 2 {
            if let name = HTTPField.Name(pair[0]) { fields.append(HTTPField(name: name, value: pair[1])) }
        }
        return HTTPResponse(status: .init(integerLiteral: status), headerFields: fields)
    }
}
