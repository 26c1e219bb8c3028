import FoundationEssentials
import Logging
import Synchronization

/// What a handler knows and can do besides its request.
public struct Context: Sendable {
    /// The invocation's id, as clients and the ledger see it.
    public let invocationID: String
    /// Whose request it is: an opaque name to keep data of different customers apart.
    public let tenant: String
    /// The function's name.
    public let function: String
    /// A folder of the function's own that outlives its workers.
    public let dataDirectory: String
    /// Writes to the function's log; every line carries the invocation's id.
    public let logger: Logger
    /// The models that `function.yaml` names, by alias.
    public let models: Models

    private let gateway: String?
    private let caller: Caller

    init(_ invocation: Invocation, server: Server) {
        invocationID = invocation.id
        tenant = invocation.tenant
        function = server.environment.function
        dataDirectory = server.environment.data
        var logger = server.logger
        logger[metadataKey: "invocation"] = "\(invocation.id)"
        self.logger = logger
        gateway = server.environment.gateway
        caller = Caller(invocation: invocation, logger: logger)
        models = Models(sockets: server.environment.models, caller: caller)
    }

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
        guard let gateway else { throw StartError("SWIFTLET_GATEWAY is not set, so this function can call no other.") }
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
    let id: String
    let tenant: String
    /// Shown to hosts and the gateway. Signed by the gateway, opaque here.
    let token: String
    private let deadline: ContinuousClock.Instant

    init(_ parameters: [String: String]) {
        id = parameters["SWIFTLET_INVOCATION_ID"] ?? "none"
        tenant = parameters["SWIFTLET_TENANT"] ?? "none"
        token = parameters["SWIFTLET_INVOCATION_TOKEN"] ?? ""
        // Two minutes where a gateway sets no limit: every wait ends.
        let left = parameters["SWIFTLET_DEADLINE"].flatMap { Double($0) }.map { $0 / 1000 - Date.now.timeIntervalSince1970 }
        deadline = .now + .seconds(min(max(left ?? 120, 0), 86400))
    }

    var remaining: Duration { max(.zero, deadline - .now) }
}
