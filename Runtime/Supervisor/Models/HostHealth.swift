import HTTPClient
import Wire

/// What a host says of itself at `/health`.
struct HostHealth: Decodable, Hashable, Sendable {
    /// Calls that take part in steps, and calls that wait for it.
    var running = 0
    var waiting = 0
    /// Grows while it gets on with them.
    var steps = 0

    /// Asks the host behind `socket` again and again, until the task is cancelled. The first answer comes when the model is loaded.
    static func watch(_ socket: String, _ heard: @Sendable (HostHealth) async -> Void) async {
        var isLoaded = false
        while !Task.isCancelled {
            // Loading may take minutes; a host that is loaded answers at once or hangs.
            let request = HTTPClient.Request(
                url: "http://host/health", unixSocket: socket, timeouts: .init(connect: .seconds(1), total: isLoaded ? .seconds(2) : nil))
            if let health = try? await ask(request) {
                isLoaded = true
                await heard(health)
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private static func ask(_ request: HTTPClient.Request) async throws -> HostHealth {
        let response = try await HTTPClient.send(request)
        return try JSON.decode(HostHealth.self, from: await response.body.collect(upTo: 4096))
    }
}
