/// How far a response has come, and what each step puts on the wire: CGI's header lines (RFC 3875, section 6), then the body.
struct ResponseState: Sendable {
    struct Head: Sendable {
        var status: Int
        var contentType: String
        var headers: [String: String]
        /// Where it is known before the first write.
        fileprivate(set) var contentLength: Int?

        init(status: Int = 200, contentType: String = "text/plain; charset=utf-8", headers: [String: String] = [:]) {
            self.status = status
            self.contentType = contentType
            self.headers = headers
        }
    }

    /// What goes to the client.
    struct Output: Sendable {
        enum End: Sendable { case complete, broken }

        var bytes: [UInt8]
        var end: End?
    }

    /// When an error came: before the first write, in the middle, or after the end.
    enum Moment { case before, amid, after }

    private enum Phase { case waiting, streaming, finished }

    private var phase = Phase.waiting
    private var head: Head?

    /// Sets what the first write begins with.
    mutating func begin(_ head: Head) throws {
        guard phase == .waiting, self.head == nil else { throw ResponseError.begun }
        try check("Content-Type", head.contentType)
        for (name, value) in head.headers { try check(name, value) }
        guard (200..<600).contains(head.status) else { throw ResponseError("\(head.status) is no status of a response.") }
        self.head = head
    }

    mutating func write(_ bytes: [UInt8]) throws -> Output {
        switch phase {
        case .finished: throw ResponseError.finished
        case .streaming: return Output(bytes: bytes)
        case .waiting:
            phase = .streaming
            return Output(bytes: (head ?? Head()).bytes(before: bytes))
        }
    }

    /// A response whose first write is its last tells its length.
    mutating func finish(after bytes: [UInt8] = []) throws -> Output {
        if phase == .waiting {
            head = head ?? Head()
            head?.contentLength = bytes.count
        }
        var output = try write(bytes)
        phase = .finished
        output.end = .complete
        return output
    }

    /// The handler has returned: ends what it left open.
    mutating func complete() throws -> Output? {
        if phase == .finished { return nil }
        if phase == .waiting, head == nil { throw ResponseError.missing }
        return try finish()
    }

    /// An error becomes a whole response as long as nothing was sent. Later, the response breaks off; an event stream says why.
    mutating func fail(with error: APIError) -> (moment: Moment, output: Output?) {
        defer { phase = .finished }
        let object = (try? JSON.encode(error)) ?? []
        switch phase {
        case .waiting:
            let head = Head(status: error.status, contentType: "application/json")
            return (.before, Output(bytes: head.bytes(before: object), end: .complete))
        case .streaming:
            let isEventStream = head?.contentType.hasPrefix("text/event-stream") == true
            return (.amid, Output(bytes: isEventStream ? Array("data: ".utf8) + object + Array("\n\n".utf8) : [], end: .broken))
        case .finished:
            return (.after, nil)
        }
    }

    private func check(_ name: String, _ value: String) throws {
        if name.isEmpty || !name.utf8.allSatisfy(isNameByte) || value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw ResponseError("The header field '\(name)' holds characters that HTTP does not allow.")
        }
    }

    /// `tchar` of RFC 9110, section 5.6.2.
    private func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

extension ResponseState.Head {
    /// The head's lines and the empty one, and `body` behind them.
    func bytes(before body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256 + body.count)
        func add(_ name: String, _ value: String) {
            bytes += name.utf8
            bytes += ": ".utf8
            bytes += value.utf8
            bytes += "\r\n".utf8
        }
        add("Status", String(status))
        add("Content-Type", contentType)
        if let contentLength, status != 204, status != 304 { add("Content-Length", String(contentLength)) }
        // Each accept thread holds one connection and there are as many as requests at once, so the gateway may keep them all.
        add("X-Swiftlet-Keep-Connection", "yes")
        if !headers.isEmpty { for (name, value) in headers.sorted(by: { $0.key < $1.key }) { add(name, value) } }
        bytes += "\r\n".utf8
        bytes += body
        return bytes
    }
}

/// A mistake in a handler's use of its ``ResponseWriter``.
public struct ResponseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was wrong, in a sentence.
    public let description: String

    init(_ description: String) { self.description = description }

    static let begun = ResponseError("The response has begun: status and header fields cannot be set any more.")
    static let finished = ResponseError("The response is finished: nothing can be written to it any more.")
    static let missing = ResponseError("The handler returned without a response. Send one, or call finish().")
}
