import FoundationEssentials
import Hummingbird
import NIOCore
import Supervisor
import Wire

/// What the command line asks of a running system, on a socket that only its owner can reach.
struct ControlRoutes: Sendable {
    let supervisor: Supervisor

    var responder: some HTTPResponder<GatewayContext> {
        let router = Router(context: GatewayContext.self)
        router.add(middleware: ErrorMiddleware())
        router.post("/functions/{name}/versions") { request, context in
            let deployment = try await JSON.decode(Deployment.self, from: body(of: request))
            let name = try context.parameters.require("name")
            let version = try await told { try await supervisor.deploy(name, from: deployment.folder) }
            return try SystemRoutes.json(["version": .string(version)] as JSON)
        }
        router.post("/functions/{name}/rollback") { _, context in
            let name = try context.parameters.require("name")
            let version = try await told { try await supervisor.rollback(name) }
            return try SystemRoutes.json(["version": .string(version)] as JSON)
        }
        router.put("/functions/{name}/traffic") { request, context in
            let shares = try await JSON.decode([Int: Int].self, from: body(of: request))
            let name = try context.parameters.require("name")
            try await told { try await supervisor.split(name, shares) }
            return Response(status: .noContent)
        }
        router.post("/models/{alias}/preload") { _, context in
            let alias = try context.parameters.require("alias")
            try await told { try await supervisor.preload(alias) }
            return Response(status: .noContent)
        }
        router.get("/status") { _, _ in try SystemRoutes.json(await supervisor.status()) }
        return router.buildResponder()
    }

    private struct Deployment: Decodable {
        let folder: String
    }

    private func body(of request: Request) async throws -> ByteBufferView {
        try await request.body.collect(upTo: 1 << 16).readableBytesView
    }

    /// Whoever may send commands may know why one was refused.
    private func told<Value>(_ command: () async throws -> Value) async throws -> Value {
        do {
            return try await command()
        } catch where error is UnknownFunction || error is UnknownModel {
            throw APIError.notFound("\(error)")
        } catch {
            throw APIError(status: 409, message: "\(error)", type: "invalid_request_error", code: "refused")
        }
    }
}
