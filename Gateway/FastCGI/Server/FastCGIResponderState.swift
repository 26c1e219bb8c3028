import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// The application's side of one connection: records and response parts in, actions out.
///
/// Role responder only (§6.2), one request at a time: a second one is refused, as §5.5 provides for.
package struct FastCGIResponderState {
    package struct Limits: Sendable {
        /// Bytes of FCGI_PARAMS one request may have.
        package var parameterBytes = 256 * 1024
        /// The answer to FCGI_GET_VALUES for FCGI_MAX_CONNS and FCGI_MAX_REQS.
        package var connections = 1024

        package init() {}
    }

    /// What a record asks for.
    package enum Action: Equatable {
        case nothing
        case head(HTTPRequest)
        case body(ByteBuffer)
        case end
        /// An answer that is no part of a response. After it the connection is closed if the Web server asked for that.
        case reply(FastCGIRecord, thenClose: Bool)
        /// The client has gone: end the request's input as failed, send the record and close.
        case abort(FastCGIRecord)
    }

    /// What a response part asks for.
    package enum ResponseAction: Equatable {
        case nothing
        case send(FastCGIRecord)
        /// The response is complete. `endsInput`: the request's body was not read to its end, and no more of it will be handed on.
        case finish(FastCGIRecord, FastCGIRecord, endsInput: Bool, thenClose: Bool)
    }

    private enum Input {
        case parameters(ByteBuffer)
        /// `missing`: what is still to come according to CONTENT_LENGTH, if that was stated.
        case body(missing: Int?)
        case ended
    }

    private struct Request {
        var id: UInt16
        var keepsConnection: Bool
        var input: Input
    }

    private let limits: Limits
    private var request: Request?
    private var isDraining = false

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// From FCGI_BEGIN_REQUEST to FCGI_END_REQUEST.
    package var hasRequest: Bool { request != nil }

    /// No more requests on this connection after the present one.
    package mutating func drain() {
        isDraining = true
    }

    // MARK: Records

    /// - Throws: ``FastCGIProtocolError``: the connection must be closed.
    package mutating func receive(_ record: FastCGIRecord) throws(FastCGIProtocolError) -> Action {
        if record.requestID == 0 { return try receiveManagement(record) }
        switch record.kind {
        case .beginRequest: return try begin(record)
        case .abortRequest, .parameters, .standardInput: break
        default: throw FastCGIProtocolError("a record of type \(record.kind.rawValue) has no place in a request to a responder")
        }
        // §3.3 "Managing Request IDs": records of an inactive request are ignored. They are the rest of a request that
        // was refused, or answered before its body had been read.
        guard request?.id == record.requestID else { return .nothing }
        switch record.kind {
        case .parameters: return try receiveParameters(record.content)
        case .standardInput: return try receiveBody(record.content)
        default: return abort()
        }
    }

    /// §4 "Management Record Types".
    private func receiveManagement(_ record: FastCGIRecord) throws(FastCGIProtocolError) -> Action {
        switch record.kind.rawValue {
        case FastCGIRecord.Kind.getValues.rawValue:
            let known = ["FCGI_MAX_CONNS": limits.connections, "FCGI_MAX_REQS": limits.connections, "FCGI_MPXS_CONNS": 0]
            var asked: Set<String> = []
            for pair in try FastCGIParameters.decode(record.content) { asked.insert(pair.name) }
            let answers = asked.sorted().compactMap { name in known[name].map { (name: name, value: String($0)) } }
            let content = FastCGIParameters.encode(answers).first ?? ByteBuffer()
            return .reply(FastCGIRecord(.getValuesResult, requestID: 0, content: content), thenClose: false)
        case FastCGIRecord.Kind.beginRequest.rawValue...FastCGIRecord.Kind.unknownType.rawValue:
            throw FastCGIProtocolError("a record of type \(record.kind.rawValue) has no request id")
        case let unknown:
            var content = ByteBuffer(integer: unknown)
            content.writeRepeatingByte(0, count: 7)
            return .reply(FastCGIRecord(.unknownType, requestID: 0, content: content), thenClose: false)
        }
    }

    private mutating func begin(_ record: FastCGIRecord) throws(FastCGIProtocolError) -> Action {
        let begin = try FastCGIBeginRequest(record.content)
        if let request {
            if request.id == record.requestID { throw FastCGIProtocolError("request \(request.id) begins twice") }
            return .reply(FastCGIEndRequest(.cannotMultiplex).record(requestID: record.requestID), thenClose: false)
        }
        guard begin.role == FastCGIBeginRequest.responder else {
            let refusal = FastCGIEndRequest(.unknownRole).record(requestID: record.requestID)
            return .reply(refusal, thenClose: !begin.keepsConnection)
        }
        request = Request(id: record.requestID, keepsConnection: begin.keepsConnection, input: .parameters(ByteBuffer()))
        return .nothing
    }

    /// §5.2 "FCGI_PARAMS": a stream, ended by an empty record; a pair may be split over records.
    private mutating func receiveParameters(_ content: ByteBuffer) throws(FastCGIProtocolError) -> Action {
        guard case .parameters(var collected) = request?.input else {
            throw FastCGIProtocolError("FCGI_PARAMS after the end of that stream")
        }
        guard content.readableBytes > 0 else {
            let head = try HTTPRequest(parameters: FastCGIParameters.decode(collected))
            request?.input = .body(missing: head.headerFields.first(.contentLength).flatMap(HTTPRequest.decimal))
            return .head(head)
        }
        guard collected.readableBytes + content.readableBytes <= limits.parameterBytes else {
            throw FastCGIProtocolError("FCGI_PARAMS has more than the \(limits.parameterBytes) bytes that a request may have")
        }
        request?.input = .ended  // `collected` is now the only reference, so that it grows in place
        collected.writeImmutableBuffer(content)
        request?.input = .parameters(collected)
        return .nothing
    }

    /// §5.3 "Byte Streams" and §6.2 "Responder": at most CONTENT_LENGTH bytes; fewer if the client failed to provide them.
    private mutating func receiveBody(_ content: ByteBuffer) throws(FastCGIProtocolError) -> Action {
        guard case .body(let missing) = request?.input else {
            throw FastCGIProtocolError("FCGI_STDIN before the end of FCGI_PARAMS or after its own")
        }
        guard content.readableBytes > 0 else {
            if let missing, missing > 0 { return abort() }
            request?.input = .ended
            return .end
        }
        if let missing {
            guard content.readableBytes <= missing else { throw FastCGIProtocolError("FCGI_STDIN is longer than CONTENT_LENGTH") }
            request?.input = .body(missing: missing - content.readableBytes)
        }
        return .body(content)
    }

    /// §5.4 "FCGI_ABORT_REQUEST". The connection goes with the request even under FCGI_KEEP_CONN: for whoever works on the
    /// request the end of the connection is the sign to stop, and there is no other that reaches every Hummingbird handler.
    private mutating func abort() -> Action {
        guard let id = request?.id else { return .nothing }
        request = nil
        return .abort(FastCGIEndRequest().record(requestID: id))
    }

    // MARK: Response

    package mutating func respond(_ part: HTTPResponsePart) -> ResponseAction {
        guard let request else { return .nothing }
        switch part {
        case .head(let head):
            // CGI has no place for informational responses; a final one follows.
            guard head.status.kind != .informational else { return .nothing }
            return .send(FastCGIRecord(.standardOutput, requestID: request.id, content: head.commonGatewayForm))
        case .body(let bytes):
            // An empty record would end the stream.
            guard bytes.readableBytes > 0 else { return .nothing }
            return .send(FastCGIRecord(.standardOutput, requestID: request.id, content: bytes))
        case .end:
            self.request = nil
            var endsInput = true
            if case .ended = request.input { endsInput = false }
            return .finish(
                FastCGIRecord(.standardOutput, requestID: request.id), FastCGIEndRequest().record(requestID: request.id),
                endsInput: endsInput, thenClose: isDraining || !request.keepsConnection)
        }
    }
}
