import FoundationEssentials
import HTTPClient
import SwiftletSystem
import Wire

/// Sends commands to the `swiftlet serve` that runs on a state directory.
struct ControlClient {
    let state: StateDirectory

    /// - Returns: the answer; empty where there is none.
    /// - Throws: ``NotRunning``; ``CommandError`` with the system's own words when it refuses.
    func send(_ method: String, _ path: String, _ body: JSON? = nil, within limit: Duration = .seconds(60)) async throws -> [UInt8] {
        let request = HTTPClient.Request(
            method: method, url: "http://swiftlet\(path)", unixSocket: state.controlSocket,
            headers: body == nil ? [] : [.init("Content-Type", "application/json")], body: try body.map { try JSON.encode($0) },
            timeouts: .init(total: limit))
        let response: HTTPClient.Response
        do {
            response = try await HTTPClient.send(request)
        } catch let error as HTTPError where error.code == .unreachable {
            throw NotRunning(state: state)
        }
        let bytes = try await response.body.collect(upTo: 16 << 20)
        guard response.isSuccess else {
            throw CommandError((try? JSON.decode(APIError.self, from: bytes))?.message ?? "The system answered with status \(response.status).")
        }
        return bytes
    }
}

/// A command was for a running system, and none runs.
struct NotRunning: Error, CustomStringConvertible {
    let state: StateDirectory
    var description: String { "No system runs on \(state.path). Start it with 'swiftlet serve', or name another with --state." }
}
