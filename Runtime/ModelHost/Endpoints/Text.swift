import FoundationEssentials
import Hummingbird
import Inference
import Ledger
import Wire

extension Host {
    /// `POST /v1/chat/completions`
    func chat(_ call: Call) async throws -> Response {
        try await generate(call, .chat) {
            let format: ChatFormat
            do {
                format = try chatFormat.get()
            } catch {
                throw APIError.invalidRequest(
                    "The model '\(alias)' has no chat format that is known and cannot chat. Use /v1/completions.", parameter: "model")
            }
            return try format.encode(call.fields.chatMessages(), engine.tokenizer)
        }
    }

    /// `POST /v1/completions`
    func complete(_ call: Call) async throws -> Response {
        try await generate(call, .completion) {
            let prompts = try call.fields.inputs("prompt")
            guard prompts.count == 1 else { throw APIError.wrongValue("prompt", "this model host takes one prompt per request.") }
            return engine.tokenizer.encodeForModel(prompts[0])
        }
    }

    private func generate(_ call: Call, _ kind: TextKind, prompt: () throws -> [Token]) async throws -> Response {
        try checkModel(call)
        guard engine.description.canGenerate else {
            throw APIError.invalidRequest(
                "The model '\(alias)' makes embeddings and generates no text. Use /v1/embeddings.", parameter: "model")
        }
        let options = try GenerationOptions(call.fields, for: kind)
        let generation: Generation
        do {
            let request = GenerationRequest(
                prompt: try prompt(), maximumTokens: options.maximumTokens ?? engine.description.contextLength,
                sampling: options.sampling, stop: options.stop, tenant: call.token.tenant, ignoresEnd: options.ignoresEnd)
            generation = try engine.generate(request)
        } catch let error as InferenceError {
            throw APIError(error, logger: logger).at(kind == .chat ? "messages" : "prompt")
        }
        let answer = Answer(
            generation: generation, call: call, usage: charge(call, kind, for: generation),
            shape: TextShape(kind: kind, call: call.id, created: call.begun, model: alias, streamsUsage: options.streamsUsage),
            logger: logger)
        return options.streams ? answer.stream() : try await answer.whole()
    }

    /// However the answer ends and whether or not anyone still listens, its tokens are entered when it has ended.
    private func charge(_ call: Call, _ kind: TextKind, for generation: Generation) -> Task<TokenUsage, any Error> {
        meter.charge(call.id) { [alias, meter] in
            let outcome = await generation.outcome
            if let time = outcome.timings.timeToFirstToken { meter.metrics.count(timeToFirstToken: time) }
            return UsageRow(
                invocation: call.token.invocation, call: call.id, model: alias, kind: kind.usageKind,
                promptTokens: outcome.promptTokens, cachedTokens: outcome.cachedTokens, completionTokens: outcome.completionTokens,
                finishReason: outcome.finishReason.name, started: call.begun)
        }
    }
}

extension Generation.FinishReason {
    /// OpenAI's word where it has one.
    var name: String {
        switch self {
        case .stop: "stop"
        case .length: "length"
        case .cancelled: "cancelled"
        case .failed: "error"
        }
    }
}
