import FunctionKit

/// The handler that the benchmarks call: answers at once, or after `?wait=` milliseconds.
@main
struct Hello: Function {
    func handle(_ request: Request, _ response: ResponseWriter, _ context: Context) async throws {
        if let wait = request.query["wait"].flatMap({ Int($0) }) { try await Task.sleep(for: .milliseconds(wait)) }
        try await response.send("Hello, world!\n")
    }
}
