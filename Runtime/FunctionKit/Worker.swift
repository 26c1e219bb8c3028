import FoundationEssentials
import Glibc
import HTTPClient
import SwiftletSystem

/// The process around a function: from start to exit.
enum Worker {
    static func run(_ start: () async throws -> Handler) async -> Never {
        let stop = AsyncStream<Void>.makeStream()
        onTermination { stop.continuation.finish() }
        guard let acceptor = Acceptor(descriptor: 0) else {
            leave(
                status: 64,
                """
                This is a function for Swiftlet: it answers FastCGI requests on a listening socket that is its standard input.
                Put its folder where `swiftlet serve` finds it (`swiftlet deploy FOLDER`), and call its route.
                """)
        }
        do {
            let environment = try WorkerEnvironment(ProcessInfo.processInfo.environment)
            // A function with a model will most likely call it in its first request, which waits already.
            if !environment.models.isEmpty { startBlockingThread { HTTPClient.prepare() } }
            let server = Server(acceptor: acceptor, environment: environment, handler: try await start())
            server.start()
            for await _ in stop.stream {}
            await server.stop()
            exit(0)
        } catch {
            leave(status: 1, "The function cannot start: \(error)")
        }
    }

    private static func leave(status: Int32, _ message: String) -> Never {
        let line = message + "\n"
        _ = write(2, line, line.utf8.count)
        exit(status)
    }
}

/// The function's folder for data that outlives its workers, for use in ``Function/init()``. Private to the function, shared by its workers.
public func dataDirectory() -> String { ProcessInfo.processInfo.environment["SWIFTLET_DATA"] ?? "." }

/// What the supervisor tells a worker (the environment variables `SWIFTLET_…`).
package struct WorkerEnvironment: Sendable {
    /// The function's name.
    package var function = "function"
    /// A folder of the function's own that outlives its workers.
    package var data = dataDirectory()
    /// Requests at once.
    package var concurrency = 1
    /// Unix socket paths by alias.
    package var models: [String: String] = [:]
    /// Unix socket of the gateway, for calls of other functions.
    package var gateway: String?

    package init() {}

    /// - Throws: ``StartError`` when a variable is malformed.
    package init(_ variables: [String: String]) throws {
        function = variables["SWIFTLET_FUNCTION"] ?? function
        gateway = variables["SWIFTLET_GATEWAY"]
        if let text = variables["SWIFTLET_CONCURRENCY"] {
            guard let count = Int(text), (1...1024).contains(count) else {
                throw StartError("SWIFTLET_CONCURRENCY is '\(text)'; it must be a number from 1 to 1024.")
            }
            concurrency = count
        }
        if let text = variables["SWIFTLET_MODELS"] {
            guard let models = try? JSON.decode([String: String].self, from: text.utf8) else {
                throw StartError("SWIFTLET_MODELS must be a JSON object of socket paths by model name.")
            }
            self.models = models
        }
    }
}

/// Why a function cannot start, for the person who deploys it.
public struct StartError: Error, CustomStringConvertible {
    /// What is missing or wrong, and what to do about it; it goes to the function's log.
    public let message: String
    public var description: String { message }
    /// - Parameter message: a sentence for a person.
    public init(_ message: String) { self.message = message }
}
