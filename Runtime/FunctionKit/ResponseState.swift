/// How far a response has come, and what each step puts on the wire: CGI's header lines (RFC 3875, section 6), then the body.
struct ResponseState: Sendable {
    struct Head: Sendable {
        var status = 200
        var contentType = "text/plain; charset=utf-8"
        var headers: [String: String] = [:]
    }

    /// What becomes of an error.
    enum Failure {
        /// Nothing was sent yet: a whole response that says it.
        case respond([UInt8])
        /// The client has a part: perhaps some last bytes, then the stream ends as failed.
        case breakOff([UInt8])
        /// The client has everything.
        case onlyLog
    }

    private enum Phase { case waiting, streaming, finished }

    private var phase = Phase.waiting
    private var head: Head?

    var isFinished: Bool { phase == .finished }

    /// Sets what the first write begins with.
    mutating func begin(_ head: Head) throws {
        guard phase == .waiting, self.head == nil else { throw ResponseError.begun }
        let fields = head.headers.map { ($0.key, $0.value) } + [("Content-Type", head.contentType)]
        for (name, value) in fields where name.isEmpty || !name.utf8.allSatisfy(isNameByte) || value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw ResponseError("The header field '\(name)' holds characters that HTTP does not allow.")
        }
        guard (200..<600).contains(head.status) else { throw ResponseError("\(head.status) is no status of a response.") }
        self.head = head
    }

    /// - Returns: what goes out for `bytes`.
    mutating func write(_ bytes: [UInt8]) throws -> [UInt8] {
        switch phase {
        case .finished: throw ResponseError.finished
        case .streaming: return bytes
        case .waiting:
            phase = .streaming
            return Array((head ?? Head()).text.utf8) + bytes
        }
    }

    /// - Returns: what still has to go out.
    mutating func finish() throws -> [UInt8] {
        let rest = try write([])
        phase = .finished
        return rest
    }

    /// The handler has returned.
    mutating func complete() throws -> [UInt8]? {
        if phase == .finished { return nil }
        if phase == .waiting, head == nil { throw ResponseError.missing }
        return try finish()
    }

    mutating func fail(with error: APIError) -> Failure {
        defer { phase = .finished }
        let object = (try? JSON.encode(error)) ?? []
        switch phase {
        case .waiting: return .respond(Array(Head(status: error.status, contentType: "application/json").text.utf8) + object)
        case .streaming where head?.contentType.hasPrefix("text/event-stream") == true:
            return .breakOff(Array("data: ".utf8) + object + Array("\n\n".utf8))
        case .streaming: return .breakOff([])
        case .finished: return .onlyLog
        }
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        let character = Character(UnicodeScalar(byte))
        return byte < 0x80 && (character.isLetter || character.isNumber || "!#$%&'*+-.^_`|~".contains(character))
    }
}

extension ResponseState.Head {
    var text: String {
        let fields = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }
        return "Status: \(status)\r\nContent-Type: \(contentType)\r\n\(fields.joined())\r\n"
    }
}

/// A mistake in a handler's use of its ``ResponseWriter``.
public struct ResponseError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }

    static let begun = ResponseError("The response has begun: status and header fields cannot be set any more.")
    static let finished = ResponseError("The response is finished: nothing can be written to it any more.")
    static let missing = ResponseError("The handler returned without a response. Send one, or call finish().")
}
