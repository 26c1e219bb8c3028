import FoundationEssentials
import HTTPTypes
import Hummingbird
import Inference
import Ledger
import Logging
import NIOCore
import Wire

/// One model and everything its endpoints need.
struct Host: Sendable {
    /// The largest request body; the context is the limit that matters, and this one only keeps memory bounded.
    static let bodyLimit = 16 << 20

    let alias: String
    let engine: Engine
    /// How the model marks turns, or why it does not chat.
    let chatTemplate: Result<ChatTemplate, any Error>
    let tokenKey: TokenKey
    let meter: Meter
    let load: LoadTime
    let grammars: Grammars
    let logger: Logger
    let started = Date.now

    var router: Router<HostContext> {
        let router = Router(context: HostContext.self)
        router.add(middleware: ErrorMiddleware())
        router.post("/v1/chat/completions") { request, context in try await chat(admit(request, context)) }
        router.post("/v1/completions") { request, context in try await complete(admit(request, context)) }
        router.post("/v1/embeddings") { request, context in try await embed(admit(request, context)) }
        router.post("/tokenize") { request, context in try tokenize(await admit(request, context)) }
        router.post("/detokenize") { request, context in try detokenize(await admit(request, context)) }
        router.get("/v1/models") { _, _ in try models() }
        router.get("/health") { _, _ in try health() }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
                body: .init(byteBuffer: ByteBuffer(string: meter.metrics.text(model: alias, load: engine.load))))
        }
        return router
    }

    /// Checks who asks, before a byte of the body is read, and then reads the body.
    private func admit(_ request: Request, _ context: HostContext) async throws -> Call {
        let scheme = "Bearer "
        guard let authorization = request.headers[.authorization], authorization.hasPrefix(scheme) else {
            throw APIError.invalidKey("A model host is called with an invocation token: Authorization: Bearer $SWIFTLET_INVOCATION_TOKEN.")
        }
        let token: InvocationToken
        do {
            token = try InvocationToken(verifying: String(authorization.dropFirst(scheme.count)), with: tokenKey)
        } catch {
            throw APIError.invalidKey(error.message)
        }
        let granted = token.models.map(ModelName.init).filter { $0.alias == alias }
        guard let first = granted.first else {
            throw APIError.invalidKey("The function '\(token.function)' may not use the model '\(alias)'. Name it under 'models:' in function.yaml.")
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Host.bodyLimit)
        } catch is NIOTooManyBytesError {
            throw APIError.tooLarge(limit: Host.bodyLimit)
        }
        let ownName = ModelName(alias: alias, adapter: nil)
        return Call(
            id: request.headers[.callID].flatMap(UUIDv7.init) ?? UUIDv7(), token: token, granted: granted,
            plainName: granted.contains(ownName) ? ownName : first, caller: context.caller, fields: try RequestFields(parsing: body.readableBytesView))
    }

    /// That it answers, what it has to do, and a count that grows while it does it.
    private func health() throws -> Response {
        let load = engine.load
        return try Response.json(
            ["status": "ok", "running": .integer(Int64(load.running)), "waiting": .integer(Int64(load.waiting)), "steps": .integer(Int64(load.steps))]
                as JSON)
    }

    /// OpenAI's list of models, with the names that llama-server and vLLM use for what a model is.
    private func models() throws -> Response {
        let model = engine.description
        let entry: JSON = [
            "id": .string(alias), "object": "model", "created": .integer(Int64(started.timeIntervalSince1970)), "owned_by": "swiftlet",
            "max_model_len": .integer(Int64(model.contextLength)),
            "meta": [
                "name": .string(model.name), "architecture": .string(model.architecture), "n_vocab": .integer(Int64(model.vocabularyCount)),
                "n_embd": .integer(Int64(model.embeddingLength)), "n_params": .integer(Int64(model.parameterCount)),
            ],
        ]
        // As vLLM lists adapters.
        let adapters = engine.adapterNames.map { name -> JSON in
            var adapter = entry
            adapter["id"] = .string(ModelName(alias: alias, adapter: name).description)
            adapter["parent"] = .string(alias)
            return adapter
        }
        return try Response.json(["object": "list", "data": .array([entry] + adapters)] as JSON)
    }

    /// The model, and perhaps the adapter, that the request names. Its alias alone is the adapter of a function that has no
    /// other: see `adapter` in function.yaml.
    func model(of call: Call) throws -> ModelName {
        guard let text = try call.fields.string("model") else { throw APIError.missing("model") }
        let name = text == alias ? call.plainName : ModelName(text)
        guard name.alias == alias, name.adapter.map(engine.adapterNames.contains) ?? true else { throw APIError.modelNotFound(text) }
        guard call.granted.contains(where: { $0.covers(name) }) else {
            throw APIError.invalidKey("The function '\(call.token.function)' may not use the model '\(name)', or its caller's key may not.")
        }
        return name
    }
}

extension HTTPField.Name {
    /// The caller's own id of a call: the same when it is sent again because a connection broke. One id is billed once.
    fileprivate static let callID = HTTPField.Name("x-swiftlet-call-id")!
}

/// A request that was admitted.
struct Call: Sendable {
    let id: UUIDv7
    let begun = Date.now
    let token: InvocationToken
    /// The names of this model that the caller may use, and which of them its alias stands for.
    let granted: [ModelName]
    let plainName: ModelName
    let caller: Caller
    let fields: RequestFields

    /// What the ledger is asked before the call begins.
    func request(_ model: ModelName, _ kind: UsageRow.Kind, promptTokens: Int, maximumTokens: Int = 0, fewestTokens: Int = 1) -> CallRequest {
        CallRequest(
            invocation: token.invocation, call: id, key: token.key, model: model.description, kind: kind, promptTokens: promptTokens,
            maximumTokens: maximumTokens, fewestTokens: fewestTokens, started: begun,
            attempt: token.attempt)
    }
}
