import HTTPTypes
import NIOCore

/// The Web server's side of one connection to an application: records in, actions out. One request at a time.
package struct FastCGIRequesterState {
    /// What a record asks for.
    package enum Action: Equatable {
        case nothing
        /// The response's head, and the part of the body that came with it.
        case head(CGIResponseHead, ByteBuffer)
        case body(ByteBuffer)
        case standardError(ByteBuffer)
        /// The request is over; with an error if the worker says that it failed.
        case end(FastCGIConnectionError.Code?, message: String)
    }

    private enum Output {
        case head(CGIResponseHeadParser)
        case body
        case ended
    }

    private enum Phase {
        case idle
        case inRequest(Output, sendsInput: Bool)
        /// Closed, or no longer in step with the worker.
        case over
    }

    /// One request at a time needs one number only.
    static let requestID: UInt16 = 1

    private var phase = Phase.idle

    package init() {}

    /// A request can begin: the connection is open and in step.
    package var isReusable: Bool {
        if case .idle = phase { true } else { false }
    }

    /// The records that begin a request (§5.1 and §5.2), all of it if `body` is given or CONTENT_LENGTH is 0.
    /// FCGI_KEEP_CONN is asked for. `nil` when none can begin.
    package mutating func begin(_ request: FastCGIRequest, body: ByteBuffer? = nil) -> [FastCGIRecord]? {
        guard isReusable else { return nil }
        let isWhole = body != nil || request.contentLength == 0
        phase = .inRequest(.head(CGIResponseHeadParser()), sendsInput: !isWhole)
        let isShort = request.encoded.readableBytes <= FastCGIRecordEncoder.longestContent
        let contents = isShort ? [request.encoded] : FastCGIParameters.encode(request.parameters)
        var records = [FastCGIBeginRequest(keepsConnection: true).record(requestID: Self.requestID)]
        for content in contents where content.readableBytes > 0 { records.append(FastCGIRecord(.parameters, requestID: Self.requestID, content: content)) }
        records.append(FastCGIRecord(.parameters, requestID: Self.requestID))
        if let body, body.readableBytes > 0 { records.append(FastCGIRecord(.standardInput, requestID: Self.requestID, content: body)) }
        if isWhole { records.append(FastCGIRecord(.standardInput, requestID: Self.requestID)) }
        return records
    }

    /// The next part of FCGI_STDIN; an empty one ends it. `nil` once the request is over: §3.3 has the worker ignore more.
    package mutating func send(_ bytes: ByteBuffer) -> FastCGIRecord? {
        guard case .inRequest(let output, sendsInput: true) = phase else { return nil }
        if bytes.readableBytes == 0 { phase = .inRequest(output, sendsInput: false) }
        return FastCGIRecord(.standardInput, requestID: Self.requestID, content: bytes)
    }

    /// - Throws: ``FastCGIConnectionError``: the request has failed and the connection must be closed.
    package mutating func receive(_ record: FastCGIRecord) throws(FastCGIConnectionError) -> Action {
        guard case .inRequest(let output, let sendsInput) = phase, record.requestID == Self.requestID else {
            throw malformed("the worker sent a record of type \(record.kind.rawValue) that belongs to no request")
        }
        switch record.kind {
        case .standardOutput: return try receive(output: record.content, in: output, sendsInput: sendsInput)
        case .standardError: return record.content.readableBytes == 0 ? .nothing : .standardError(record.content)
        case .endRequest: return try end(record.content, output: output, sendsInput: sendsInput)
        default: throw malformed("the worker sent a record of type \(record.kind.rawValue), which has no place in a response")
        }
    }

    /// The connection is closed. The error is the request's, if one was in progress.
    package mutating func close() -> FastCGIConnectionError? {
        defer { phase = .over }
        return switch phase {
        case .inRequest(.head, _): FastCGIConnectionError(.noResponse, "the worker closed the connection before it responded")
        case .inRequest: FastCGIConnectionError(.responseCutShort, "the worker closed the connection in the middle of its response")
        case .idle, .over: nil
        }
    }

    private mutating func receive(
        output bytes: ByteBuffer, in output: Output, sendsInput: Bool
    ) throws(FastCGIConnectionError) -> Action {
        switch output {
        case .ended: throw malformed("the worker sent FCGI_STDOUT after the end of that stream")
        case .head where bytes.readableBytes == 0:
            // What the end means is in FCGI_END_REQUEST.
            return .nothing
        case .body where bytes.readableBytes == 0:
            phase = .inRequest(.ended, sendsInput: sendsInput)
            return .nothing
        case .body:
            return .body(bytes)
        case .head(var parser):
            phase = .inRequest(.body, sendsInput: sendsInput)  // `parser` is now the only reference, so that it grows in place
            if let (head, rest) = try parser.receive(bytes) { return .head(head, rest) }
            phase = .inRequest(.head(parser), sendsInput: sendsInput)
            return .nothing
        }
    }

    /// §5.5 "FCGI_END_REQUEST". FCGI_STDOUT need not have been ended before.
    private mutating func end(_ content: ByteBuffer, output: Output, sendsInput: Bool) throws(FastCGIConnectionError) -> Action {
        let end: FastCGIEndRequest
        do { end = try FastCGIEndRequest(content) } catch { throw malformed(error.message) }
        // A body that was not sent to its end: some workers would take what follows for the next request's.
        phase = sendsInput ? .over : .idle
        switch (end.status, output) {
        case (.overloaded, _), (.cannotMultiplex, _):
            return .end(.refused, message: "the worker refused the request (protocol status \(end.status.rawValue))")
        case (.complete, _) where end.applicationStatus != 0:
            return .end(.failed, message: "the worker ended the request with status \(end.applicationStatus)")
        case (.complete, .head(let parser)) where !parser.isEmpty:
            return .end(.malformedResponse, message: "the worker ended the request in the middle of its response's head")
        case (.complete, .head):
            return .end(.noResponse, message: "the worker ended the request without a response")
        case (.complete, _):
            return .end(nil, message: "")
        default:
            return .end(.failed, message: "the worker does not act as a FastCGI responder (protocol status \(end.status.rawValue))")
        }
    }

    private func malformed(_ message: String) -> FastCGIConnectionError {
        FastCGIConnectionError(.malformedResponse, message)
    }
}
