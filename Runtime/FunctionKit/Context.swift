import FoundationEssentials
import Logging
import Synchronization

/// What a handler knows and can do besides its request.
public struct Context: Sendable {
    private let server: Server
    private let caller: Caller

    init(_ invocation: Invocation, server: Server) {
        self.server = server
        caller = Caller(invocation: invocation, worker: server.logger)
    }

    /// The invocation's id, as clients and the ledger see it.
    public var invocationID: String { caller.invocation.id }
    /// Whose request it is: an opaque name to keep data of different customers apart.
    public var tenant: String { caller.invocation.tenant }
    /// The function's name.
    public var function: String { server.environment.function }
    /// A folder of the function's own that outlives its workers.
    public var dataDirectory: String { server.environment.data }
    /// Writes to the function's log; every line carries the invocation's id.
    public var logger: Logger { caller.logger }
    /// The models that `function.yaml` names, by alias.
    public var models: Models { Models(sockets: server.environment.models, caller: caller) }

    /// When the request must be answered.
    public var deadline: Date { Date(timeIntervalSinceNow: remaining / .seconds(1)) }

    /// The time until the deadline; never negative.
    public var remaining: Duration { caller.invocation.remaining }

    /// What all model calls of this invocation used so far, those of invoked functions included.
    public var usage: TokenUsage { caller.usage }

    /// Calls another function as part of this invocation: same customer, bill and id.
    /// - Parameter path: path and query.
    /// - Returns: the response's JSON; its text as a string where it is something else; null where it is empty.
    /// - Throws: ``APIError`` with the other function's status.
    public func invoke(_ method: String, _ path: String, _ body: JSON? = nil) async throws -> JSON {
        guard let gateway = server.environment.gateway else { throw StartError("SWIFTLET_GATEWAY is not set, so this function can call no other.") }
        let reply = try await caller.collect(
            "The function at \(path.prefix { $0 != "?" })", at: gateway, method, path, body.map { try JSON.encode($0) })
        if reply.isEmpty { return .null }
        guard let value = try? JSON(parsing: reply) else { return .string(String(decoding: reply, as: UTF8.self)) }
        caller.count(value["usage"])
        return value
    }
}

/// What the gateway says about the invocation that a request belongs to.
struct Invocation: Sendable {
    private let parameters: Parameters
    private let deadline: ContinuousClock.Instant

    init(_ parameters: Parameters) {
        self.parameters = parameters
        // Two minutes where a gateway sets no limit: every wait ends.
        let left = parameters["SWIFTLET_DEADLINE"].flatMap { Int64($0) }.map { max($0, 0) - Int64(Date.now.timeIntervalSince1970 * 1000) }
        deadline = .now + .milliseconds(min(max(left ?? 120_000, 0), 86_400_000))
    }

    var id: String { parameters["SWIFTLET_INVOCATION_ID"] ?? "none" }
    var tenant: String { parameters["SWIFTLET_TENANT"] ?? "none" }
    /// Shown to hosts and the gateway. Signed by the gateway, opaque here.
    var token: String { parameters["SWIFTLET_INVOCATION_TOKEN"] ?? "" }
    var remaining: Duration { max(.zero, deadline - .now) }
}
