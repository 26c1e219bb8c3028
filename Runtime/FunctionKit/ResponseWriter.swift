import Logging

/// Where a handler writes its response. Each write returns when the bytes are on their way to the client.
///
/// Every method throws `CancellationError` when the client has gone.
public struct ResponseWriter: Sendable {
    let mailbox: Mailbox

    init(_ mailbox: Mailbox) { self.mailbox = mailbox }

    // MARK: A response at once

    /// Sends a whole response; status and length go with it.
    /// - Parameters:
    ///   - status: from 200 to 599.
    ///   - headers: fields beside `Content-Type` and `Content-Length`.
    /// - Throws: ``ResponseError`` when the response has begun already, or a field holds what HTTP does not allow.
    public func send(
        _ text: String, contentType: String = "text/plain; charset=utf-8", status: Int = 200, headers: [String: String] = [:]
    ) async throws {
        try await send(bytes: Array(text.utf8), contentType: contentType, status: status, headers: headers)
    }

    /// Sends a whole response, as JSON; see ``send(_:contentType:status:headers:)``.
    public func send(json value: some Encodable, status: Int = 200, headers: [String: String] = [:]) async throws {
        try await send(bytes: JSON.encode(value), contentType: "application/json", status: status, headers: headers)
    }

    /// Sends a whole response of any type; see ``send(_:contentType:status:headers:)``.
    public func send(bytes: [UInt8], contentType: String, status: Int = 200, headers: [String: String] = [:]) async throws {
        try stream(contentType: contentType, status: status, headers: headers)
        try await mailbox.send { try $0.finish(after: bytes) }
    }

    // MARK: A response in pieces

    /// Says what the response will be. It goes out with the first write; until then an error can still take its place.
    /// - Parameters:
    ///   - status: from 200 to 599.
    ///   - headers: fields beside `Content-Type`.
    /// - Throws: ``ResponseError`` when it was said already, or a field holds what HTTP does not allow.
    public func stream(contentType: String = "text/event-stream", status: Int = 200, headers: [String: String] = [:]) throws {
        try mailbox.begin(ResponseState.Head(status: status, contentType: contentType, headers: headers))
    }

    /// Sends a piece; the first one sends the head, which is status 200 and plain text where ``stream(contentType:status:headers:)``
    /// did not say otherwise.
    /// - Throws: ``ResponseError`` after ``finish()``.
    public func write(_ bytes: [UInt8]) async throws { try await mailbox.send { try $0.write(bytes) } }

    /// Sends a piece of text, as UTF-8; see ``write(_:)-([UInt8])``.
    public func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    /// Ends the response; the client has all of it. The handler may go on, but its slot is taken until it returns.
    public func finish() async throws { try await mailbox.send { try $0.finish() } }

    // MARK: What the server does around the handler

    /// Runs `handler` and makes of its end what the client is to see.
    func run(in context: Context, _ handler: () async throws -> Void) async {
        do {
            try await handler()
            try await mailbox.send { try $0.complete() }
        } catch {
            await fail(error, context)
        }
        mailbox.handlerReturned()
    }

    private func fail(_ error: any Error, _ context: Context) async {
        // Nobody is there to be told, and what a cancelled handler throws is no news.
        if Task.isCancelled { return }
        let shown = error as? APIError
        try? await mailbox.send { response in
            let (moment, output) = response.fail(with: shown ?? .internalError)
            if moment != .before || (shown?.status ?? 500) >= 500 { log(moment, error, context.logger) }
            return output
        }
    }

    private func log(_ moment: ResponseState.Moment, _ error: any Error, _ logger: Logger) {
        let cause = (error as? APIError)?.message ?? "\(error)"
        let place =
            switch moment {
            case .before: ""
            case .amid: " in the middle of its response"
            case .after: " after its response"
            }
        // One line each, so that logs can be searched by invocation.
        logger.error("The handler failed\(place): \(cause.replacing("\n", with: "\\n").replacing("\r", with: "\\r"))")
    }
}
