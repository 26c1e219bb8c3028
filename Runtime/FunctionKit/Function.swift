@_exported import Logging
@_exported import Wire

/// A serverless function. One value serves all requests of a worker: `handle` is called for up to `scale.concurrency` of them at
/// once, so what they share must be safe to share (the type is `Sendable`).
///
/// ```swift
/// import FunctionKit
///
/// @main struct Hello: Function {
///     func handle(_ request: Request, _ response: ResponseWriter, _ context: Context) async throws {
///         try await response.send("Hello, \(request.query["name"] ?? "world")!\n")
///     }
/// }
/// ```
///
/// What is thrown before the first write becomes an error response: an ``APIError`` as it is, anything else as status 500 with
/// the cause in the log. Thrown later, it ends the response as failed; thrown after ``ResponseWriter/finish()``, it is only logged.
/// The handler's task is cancelled when the client hangs up and at the deadline. It has the thread of its request to itself, so it
/// may block; what happens meanwhile is noticed at its next `await`.
public protocol Function: Sendable {
    /// Runs once, before the first request. What it throws is printed and ends the process.
    init() async throws
    /// Answers one request. A response that was begun and is not finished when it returns is finished then; one that was never begun
    /// is an error.
    /// - Parameters:
    ///   - request: what the client sent, with its whole body.
    ///   - response: where the answer goes, at once or in pieces.
    ///   - context: who asks and until when, and what the function may call.
    func handle(_ request: Request, _ response: ResponseWriter, _ context: Context) async throws
}

extension Function {
    /// Serves requests until the process is told to end: what `@main` runs.
    public static func main() async {
        await Worker.run { () async throws -> Handler in
            let function = try await Self()
            return { try await function.handle($0, $1, $2) }
        }
    }
}

/// What a function does, as a closure: ``Function/handle(_:_:_:)`` without a type around it.
public typealias Handler = @Sendable (_ request: Request, _ response: ResponseWriter, _ context: Context) async throws -> Void

/// Serves requests with a closure until the process is told to end: a function without a type, in `main.swift`.
///
/// ```swift
/// await serve { request, response, context in
///     try await response.send("Hello\n")
/// }
/// ```
public func serve(_ handler: @escaping Handler) async {
    await Worker.run { handler }
}
