/// Reads a `text/event-stream` (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream)
/// that arrives in pieces, cut at any byte.
package struct ServerSentEventParser: Sendable {
    package struct Event: Hashable, Sendable {
        /// `message` unless the stream names it.
        package var type: String
        package var data: String

        package init(type: String = "message", data: String) {
            self.type = type
            self.data = data
        }
    }

    private var line: [UInt8] = []
    private var type = ""
    private var data: [String] = []
    private var lastWasCarriageReturn = false
    private var isFirstLine = true

    package init() {}

    /// - Returns: the events that are complete with these bytes. One that the stream's end cuts off never is.
    package mutating func push(_ bytes: [UInt8]) -> [Event] {
        var events: [Event] = []
        for byte in bytes {
            let isSecondOfPair = lastWasCarriageReturn && byte == UInt8(ascii: "\n")
            lastWasCarriageReturn = byte == UInt8(ascii: "\r")
            if isSecondOfPair { continue }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                if let event = endLine() { events.append(event) }
            } else {
                line.append(byte)
            }
        }
        return events
    }

    private mutating func endLine() -> Event? {
        if isFirstLine, line.starts(with: [0xef, 0xbb, 0xbf]) { line.removeFirst(3) }  // byte order mark
        isFirstLine = false
        defer { line.removeAll(keepingCapacity: true) }
        if line.isEmpty {
            defer { (type, data) = ("", []) }
            return data.isEmpty ? nil : Event(type: type.isEmpty ? "message" : type, data: data.joined(separator: "\n"))
        }
        // In bytes: as characters, a colon can be one with the accent behind it.
        let name = line.prefix { $0 != UInt8(ascii: ":") }
        let rest = line[name.endIndex...].dropFirst()
        let value = String(decoding: rest.first == UInt8(ascii: " ") ? rest.dropFirst() : rest, as: UTF8.self)
        switch String(decoding: name, as: UTF8.self) {
        case "data": data.append(value)
        case "event": type = value
        default: break  // comments have an empty name; `id` and `retry` are for clients that reconnect
        }
        return nil
    }
}

extension ResponseWriter {
    /// Sends one event of a stream that was begun with ``stream(contentType:status:headers:)``: `data: {…}` and an empty line.
    /// - Throws: ``ResponseError`` after ``finish()`` or ``done()``; what `value` throws while it is encoded.
    public func send(event value: some Encodable) async throws {
        try await write(Array("data: ".utf8) + JSON.encode(value) + Array("\n\n".utf8))
    }

    /// The last event of OpenAI's streams, `data: [DONE]`, and the end of the response.
    public func done() async throws {
        try await mailbox.send { try $0.finish(after: Array("data: [DONE]\n\n".utf8)) }
    }
}
