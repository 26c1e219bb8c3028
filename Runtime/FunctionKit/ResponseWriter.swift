import Logging
import Synchronization

/// Where a handler writes its response. Each write returns when the bytes are on their way to the client.
///
/// Every method throws `CancellationError` when the client has gone.
public struct ResponseWriter: Sendable {
    private final class Shared: Sendable {
        let state = Mutex(ResponseState())
    }

    private let mailbox: Mailbox
    private let shared = Shared()

    init(_ mailbox: Mailbox) { self.mailbox = mailbox }

    // MARK: A response at once

    public func send(
        _ text: String, contentType: String = "text/plain; charset=utf-8", status: Int = 200, headers: [String: String] = [:]
    ) async throws {
        try await send(bytes: Array(text.utf8), contentType: contentType, status: status, headers: headers)
    }

    public func send(json value: some Encodable, status: Int = 200, headers: [String: String] = [:]) async throws {
        try await send(bytes: JSON.encode(value), contentType: "application/json", status: status, headers: headers)
    }

    public func send(bytes: [UInt8], contentType: String, status: Int = 200, headers: [String: String] = [:]) async throws {
        try stream(contentType: contentType, status: status, headers: headers)
        try await write(bytes)
        try await finish()
    }

    // MARK: A response in pieces

    /// Says what the response will be. It goes out with the first write; until then an error can still take its place.
    public func stream(contentType: String = "text/event-stream", status: Int = 200, headers: [String: String] = [:]) throws {
        try shared.state.withLock { try $0.begin(ResponseState.Head(status: status, contentType: contentType, headers: headers)) }
    }

    public func write(_ bytes: [UInt8]) async throws {
        try await mailbox.write(try shared.state.withLock { try $0.write(bytes) })
    }

    public func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    /// Ends the response; the client has all of it. The handler may go on, but its slot is taken until it returns.
    public func finish() async throws {
        let rest = try shared.state.withLock { try $0.finish() }
        if !rest.isEmpty { try await mailbox.write(rest) }
        try await mailbox.finish(isComplete: true)
    }

    // MARK: What the server does around the handler

    /// Runs `handler` and makes of its end what the client is to see.
    func run(logger: Logger, _ handler: () async throws -> Void) async {
        do {
            try await handler()
            guard let rest = try shared.state.withLock({ try $0.complete() }) else { return }
            if !rest.isEmpty { try await mailbox.write(rest) }
            try await mailbox.finish(isComplete: true)
        } catch {
            await fail(error, logger)
        }
    }

    /// The response for an error that did not come from the handler; the handler can write nothing more.
    func takeOver(for error: APIError) -> ResponseState.Failure { shared.state.withLock { $0.fail(with: error) } }

    private func fail(_ error: any Error, _ logger: Logger) async {
        // Nobody is there to be told, and what a cancelled handler throws is no news.
        if Task.isCancelled { return }
        let shown = error as? APIError
        let failure = shared.state.withLock { $0.fail(with: shown ?? .internalError) }
        switch failure {
        case .respond(let bytes):
            if (shown?.status ?? 500) >= 500 { log("failed", error, logger) }
            try? await mailbox.write(bytes)
            try? await mailbox.finish(isComplete: true)
        case .breakOff(let bytes):
            log("failed in the middle of its response", error, logger)
            if !bytes.isEmpty { try? await mailbox.write(bytes) }
            try? await mailbox.finish(isComplete: false)
        case .onlyLog:
            log("failed after its response", error, logger)
        }
    }

    private func log(_ what: String, _ error: any Error, _ logger: Logger) {
        let cause = (error as? APIError)?.message ?? "\(error)"
        // One line each, so that logs can be searched by invocation.
        logger.error("The handler \(what): \(cause.replacing("\n", with: "\\n").replacing("\r", with: "\\r"))")
    }
}
