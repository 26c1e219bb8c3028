import Hummingbird
import Ledger
import NIOCore
import Supervisor
import Wire

/// What the gateway answers itself.
struct SystemRoutes: Sendable {
    static let healthPath = "/health"
    /// Routes that no function can have.
    static let all = ["GET /health", "GET /status", "GET /v1/models", "GET /v1/models/{model}", "GET /v1/invocations/{id}"].compactMap(Route.init)
        + UsageRoutes.all

    let ledger: Ledger
    let models: @Sendable () async -> [ModelName]
    let status: @Sendable () async -> SystemStatus
    /// Whether the functions that lay there at the start serve.
    let isReady: @Sendable () async -> Bool

    func add(to router: Router<GatewayContext>) {
        UsageRoutes(ledger: ledger).add(to: router)
        router.get(.init(Self.healthPath)) { _, _ in
            guard await isReady() else { throw APIError.overloaded("Swiftlet is starting. Try again in a moment.") }
            return try Self.json(["status": "ok"] as JSON)
        }
        router.get("/status") { _, context in
            guard context.caller?.isAdmin == true else {
                throw APIError(
                    status: 403, message: "Only an admin's key may see the status: 'swiftlet keys update NAME --admin' makes it one.",
                    type: "invalid_request_error", code: "admin_required")
            }
            return try Self.json(await status())
        }
        router.get("/v1/models") { _, _ in
            let models = await models().map(Self.model)
            return try Self.json(["object": "list", "data": .array(models)] as JSON)
        }
        router.get("/v1/models/{model}") { _, context in
            let name = try context.parameters.require("model")
            guard let found = await models().first(where: { $0.description == name }) else { throw APIError.modelNotFound(name) }
            return try Self.json(Self.model(found))
        }
        router.get("/v1/invocations/{id}") { _, context in
            let id = try context.parameters.require("id")
            guard let tenant = context.caller?.tenant, let number = UUIDv7(id),
                let record = try await ledger.invocation(number, tenant: tenant)
            else {
                throw APIError.notFound("No invocation '\(id)' was made with this key.", parameter: "id", code: "invocation_not_found")
            }
            return try Self.json(record)
        }
    }

    /// An adapter names what it is for, as vLLM's list does.
    private static func model(_ name: ModelName) -> JSON {
        var model: JSON = ["id": .string(name.description), "object": "model", "created": 0, "owned_by": "swiftlet"]
        if name.adapter != nil { model["parent"] = .string(name.alias) }
        return model
    }

    static func json<Value: Encodable>(_ value: Value) throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try JSON.encode(value))))
    }
}
