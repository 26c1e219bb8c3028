import FoundationEssentials
import Hummingbird
import Inference
import Ledger
import Wire

extension Host {
    /// `POST /v1/chat/completions`
    func chat(_ call: Call) async throws -> Response {
        try await generate(call, .chat) {
            let template: ChatTemplate
            do {
                template = try chatTemplate.get()
            } catch {
                throw APIError.invalidRequest("The model '\(alias)' cannot chat; use /v1/completions. \(error)", parameter: "model")
            }
            let tools = try ToolFields(call.fields)
            return .chat(
                try ChatPrompt(
                    call.fields.conversation(), tools.tools, tools.choice, takesSeveral: tools.isParallel, template, engine.tokenizer))
        }
    }

    /// `POST /v1/completions`
    func complete(_ call: Call) async throws -> Response {
        try await generate(call, .completion) {
            let prompts = try call.fields.inputs("prompt")
            guard prompts.count == 1 else { throw APIError.wrongValue("prompt", "this model host takes one prompt per request.") }
            return .plain(engine.tokenizer.encodeForModel(prompts[0]))
        }
    }

    private func generate(_ call: Call, _ kind: TextKind, prompt makePrompt: () throws -> Prompt) async throws -> Response {
        let model = try model(of: call)
        guard engine.description.canGenerate else {
            throw APIError.invalidRequest(
                "The model '\(alias)' makes embeddings and generates no text. Use /v1/embeddings.", parameter: "model")
        }
        let options = try GenerationOptions(call.fields, for: kind)
        let prompt: Prompt
        do {
            prompt = try makePrompt()
        } catch let error as InferenceError {
            throw APIError(error, logger: logger).at(kind == .chat ? "messages" : "prompt")
        }
        if options.form != nil, prompt.chat?.constraint != nil {
            throw APIError.wrongValue(options.form?.field ?? "response_format", "it cannot be combined with a 'tool_choice' that asks for a call.")
        }
        let grammar = try options.form.map(grammars.grammar)
        let room = max(1, engine.description.contextLength - prompt.tokens.count)
        let callRequest = call.request(
            model, kind.usageKind, promptTokens: prompt.tokens.count, maximumTokens: min(options.maximumTokens ?? room, room))
        let admission = try await meter.admit(callRequest)
        let load = load.claim()
        let generation: Generation
        do {
            generation = try engine.generate(
                GenerationRequest(
                    prompt: prompt.tokens, maximumTokens: admission.maximumTokens, sampling: options.sampling, stop: options.stop,
                    spelled: prompt.chat?.spelled ?? [:], tenant: call.token.tenant, adapter: model.adapter, ignoresEnd: options.ignoresEnd, grammar: grammar))
        } catch {
            await meter.release(callRequest, admission)
            throw (error as? InferenceError).map { APIError($0, logger: logger).at(kind == .chat ? "messages" : "prompt") } ?? error
        }
        let answer = Answer(
            generation: generation, prompt: prompt.chat, call: call, entry: admission.entry,
            usage: charge(callRequest, admission, for: generation, load: load),
            shape: TextShape(kind: kind, call: call.id, created: call.begun, model: callRequest.model, streamsUsage: options.streamsUsage),
            logger: logger)
        return options.streams ? answer.stream() : try await answer.whole()
    }

    /// However the answer ends and whether or not anyone still listens, its tokens are entered when it has ended.
    /// One that ended before its first token costs nothing.
    private func charge(
        _ request: CallRequest, _ admission: Meter.Admission, for generation: Generation, load: Duration?
    ) -> Task<TokenUsage, any Error> {
        meter.charge(request, admission) { [meter] in
            let outcome = await generation.outcome
            if let time = outcome.timings.timeToFirstToken { meter.metrics.count(timeToFirstToken: time) }
            guard outcome.completionTokens > 0 else { return nil }
            return UsageRow(
                invocation: request.invocation, call: request.call, model: request.model, kind: request.kind,
                promptTokens: outcome.promptTokens, cachedTokens: outcome.cachedTokens, completionTokens: outcome.completionTokens,
                finishReason: outcome.finishReason.name, started: request.started,
                firstToken: outcome.timings.timeToFirstToken, load: load)
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

/// What a model is given.
private enum Prompt {
    case chat(ChatPrompt)
    case plain([Token])

    var tokens: [Token] {
        switch self {
        case .chat(let prompt): prompt.tokens
        case .plain(let tokens): tokens
        }
    }

    var chat: ChatPrompt? { if case .chat(let prompt) = self { prompt } else { nil } }
}
