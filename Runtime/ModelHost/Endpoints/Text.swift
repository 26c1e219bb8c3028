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
            let chat = try ChatPrompt(
                call.fields.conversation(), tools.tools, tools.choice, takesSeveral: tools.isParallel, template, engine.tokenizer)
            return [Prompt(tokens: chat.tokens, chat: chat)]
        }
    }

    /// `POST /v1/completions`
    func complete(_ call: Call) async throws -> Response {
        try await generate(call, .completion) {
            try call.fields.inputs("prompt").map { input in
                let tokens = engine.tokenizer.encodeForModel(input)
                return switch input {
                case .text(let text): Prompt(tokens: tokens, text: text)
                case .tokens: Prompt(tokens: tokens, text: engine.tokenizer.decode(tokens, special: false))
                }
            }
        }
    }

    private func generate(_ call: Call, _ kind: TextKind, prompts makePrompts: () throws -> [Prompt]) async throws -> Response {
        let model = try model(of: call)
        guard engine.description.canGenerate else {
            throw APIError.invalidRequest(
                "The model '\(alias)' makes embeddings and generates no text. Use /v1/embeddings.", parameter: "model")
        }
        let options = try GenerationOptions(call.fields, for: kind)
        let prompts = try naming(kind) { try makePrompts() }
        let most = GenerationOptions.mostAnswers
        guard !prompts.isEmpty, prompts.count <= most / options.count else {
            throw APIError.wrongValue(
                "prompt", prompts.isEmpty ? "there must be at least one." : "a call has at most \(most) answers, over all prompts and 'n'.")
        }
        let chat = prompts[0].chat
        if let form = options.form, chat?.constraint?.asksForCall == true {
            throw APIError.wrongValue(form.field, "it cannot be combined with a 'tool_choice' that asks for a call.")
        }
        let grammar =
            if let form = options.form { try grammars.grammar(for: form) } else {
                try chat?.constraint.map { try grammars.grammar(for: .calls($0.frame), spelled: chat?.spelled ?? [:]) }
            }
        var requests = prompts.enumerated().flatMap { place, prompt in
            let room = max(1, engine.description.contextLength - prompt.tokens.count)
            let request = GenerationRequest(
                prompt: prompt.tokens, maximumTokens: min(options.maximumTokens ?? room, room), stop: options.stop,
                spelled: prompt.chat?.spelled ?? [:], tenant: call.token.tenant, adapter: model.adapter,
                ignoresEnd: options.ignoresEnd, grammar: grammar,
                topScores: options.topScores, scoresPrompt: options.echoes && options.topScores != nil)
            return (0..<options.count).map { answer in
                var request = request
                request.sampling = options.sampling.answer(answer)
                // The first one scores the prompt for all.
                request.scoresPrompt = request.scoresPrompt && answer == 0
                return (prompt: place, request: request)
            }
        }
        let callRequest = call.request(
            model, kind.usageKind, promptTokens: prompts.reduce(0) { $0 + $1.tokens.count },
            maximumTokens: requests.reduce(0) { $0 + $1.request.maximumTokens }, fewestTokens: requests.count)
        let admission = try await meter.admit(callRequest)
        if admission.maximumTokens < callRequest.maximumTokens {
            let share = admission.maximumTokens / requests.count
            for index in requests.indices { requests[index].request.maximumTokens = min(requests[index].request.maximumTokens, share) }
        }
        let load = load.claim()
        var choices: [AnswerChoice] = []
        do {
            for (place, request) in requests {
                let prompt = prompts[place]
                let scorer = options.echoes && options.topScores != nil ? choices.first { $0.prompt == place }?.generation : nil
                choices.append(
                    AnswerChoice(
                        generation: try naming(kind) { try engine.generate(request) }, prompt: place, first: prompt.tokens.first, chat: prompt.chat,
                        echo: options.echoes ? prompt.text : nil, isScored: options.topScores != nil, scorer: scorer))
            }
        } catch {
            for choice in choices { choice.generation.cancel() }
            await meter.release(callRequest, admission)
            throw error
        }
        let answer = Answer(
            choices, engine.tokenizer, call: call, entry: admission.entry, usage: charge(callRequest, admission, for: choices, load: load),
            shape: TextShape(
                kind: kind, call: call.id, created: call.begun, model: callRequest.model, streamsUsage: options.streamsUsage,
                showsScores: options.topScores != nil),
            logger: logger)
        return options.streams ? answer.stream() : try await answer.whole()
    }

    /// What is wrong with a prompt is told of the field that it is in.
    private func naming<Value>(_ kind: TextKind, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as InferenceError {
            throw APIError(error, logger: logger).at(kind == .chat ? "messages" : "prompt")
        }
    }

    /// However the answers end and whether or not anyone still listens, their tokens are entered when all have ended.
    private func charge(
        _ request: CallRequest, _ admission: Meter.Admission, for choices: [AnswerChoice], load: Duration?
    ) -> Task<TokenUsage, any Error> {
        meter.charge(request, admission) { [meter] in
            var outcomes: [Generation.Outcome] = []
            for choice in choices { outcomes.append(await choice.generation.outcome) }
            let outcome = CallOutcome(choices, outcomes)
            if let time = outcome.timeToFirstToken { meter.metrics.count(timeToFirstToken: time) }
            meter.metrics.count(drafted: outcome.draftedTokens, accepted: outcome.acceptedTokens)
            guard outcome.isBilled else { return nil }
            return UsageRow(
                invocation: request.invocation, call: request.call, model: request.model, kind: request.kind,
                promptTokens: outcome.promptTokens, cachedTokens: outcome.cachedTokens, completionTokens: outcome.completionTokens,
                finishReason: outcome.finishReason.name, started: request.started,
                firstToken: outcome.timeToFirstToken, load: load, attempt: request.attempt)
        }
    }
}

/// What a model is given.
private struct Prompt {
    let tokens: [Token]
    var chat: ChatPrompt?
    /// What a completion can begin with.
    var text: String?
}
