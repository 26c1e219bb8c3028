import Inference
import Wire

/// What a chat and a completion request have in common, with OpenAI's ranges and defaults.
struct GenerationOptions {
    /// `nil`: as many as the context has room for.
    let maximumTokens: Int?
    let sampling: Sampling
    let stop: [String]
    /// vLLM's and llama-server's `ignore_eos`.
    let ignoresEnd: Bool
    let streams: Bool
    /// Whether a stream ends with a chunk that holds its usage.
    let streamsUsage: Bool
    /// What the answer must fit.
    let form: AnswerForm?
    /// How many answers there are to each prompt.
    let count: Int
    /// How many likely tokens are told beside each one of the answer, with log-probabilities; `nil`: none of that.
    let topScores: Int?
    /// Whether a completion begins with its prompt.
    let echoes: Bool

    init(_ fields: RequestFields, for kind: TextKind) throws {
        try UnsupportedFields.refuse(in: fields, for: kind)
        echoes = kind == .completion ? try fields.flag("echo") ?? false : false
        // Who wants the prompt's log-probabilities alone asks for no token.
        let least = echoes ? 0 : 1
        maximumTokens = try fields.integer("max_completion_tokens", in: 1 ... .max) ?? fields.integer("max_tokens", in: least ... .max)
        count = try fields.integer("n", in: 1...GenerationOptions.mostAnswers) ?? 1
        topScores = try kind == .chat ? GenerationOptions.chatScores(fields) : fields.integer("logprobs", in: 0...5)
        sampling = try GenerationOptions.sampling(fields)
        stop = try GenerationOptions.stop(fields)
        ignoresEnd = try fields.flag("ignore_eos") ?? false
        streams = try fields.flag("stream") ?? false
        streamsUsage = try GenerationOptions.streamsUsage(fields, streams: streams)
        form = try AnswerForm(fields)
    }

    /// How many answers one call may have, of all its prompts.
    static let mostAnswers = 128

    private static func chatScores(_ fields: RequestFields) throws -> Int? {
        let top = try fields.integer("top_logprobs", in: 0...20)
        guard try fields.flag("logprobs") ?? false else {
            if let top, top > 0 { throw APIError.wrongValue("top_logprobs", "it is only allowed when 'logprobs' is true.") }
            return nil
        }
        return top ?? 0
    }

    private static func sampling(_ fields: RequestFields) throws -> Sampling {
        let topP = try fields.number("top_p", in: 0...1) ?? 1
        // vLLM and llama-server write "no limit" as -1 or 0.
        let topK = max(0, try fields.integer("top_k", in: -1...Int(Int32.max)) ?? 0)
        var sampling = Sampling(
            temperature: Float(try fields.number("temperature", in: 0...2) ?? 1),
            // Of no probability at all, the most likely token is left.
            topK: topP == 0 ? 1 : topK, topP: topP == 0 ? 1 : Float(topP), minP: Float(try fields.number("min_p", in: 0...1) ?? 0),
            seed: try fields.integer("seed").map { UInt64(bitPattern: Int64($0)) })
        sampling.penalties.presence = Float(try fields.number("presence_penalty", in: -2...2) ?? 0)
        sampling.penalties.frequency = Float(try fields.number("frequency_penalty", in: -2...2) ?? 0)
        // llama-server's name, and vLLM's.
        for name in ["repeat_penalty", "repetition_penalty"] {
            guard let penalty = try fields.number(name, in: 0...10) else { continue }
            guard penalty > 0 else { throw APIError.wrongValue(name, "it must be above 0.") }
            sampling.penalties.repetition = Float(penalty)
        }
        sampling.bias = try bias(fields)
        return sampling
    }

    private static func bias(_ fields: RequestFields) throws -> [Token: Float] {
        guard let value = fields["logit_bias"] else { return [:] }
        guard let members = value.object else { throw APIError.wrongType("logit_bias", "an object of tokens and numbers") }
        var bias: [Token: Float] = [:]
        for (name, value) in members {
            guard let token = Token(name) else { throw APIError.wrongValue("logit_bias", "'\(name)' is not a token's number.") }
            guard let number = value.number, (-100...100).contains(number) else {
                throw APIError.wrongValue("logit_bias", "the bias of token \(name) must be a number from -100 to 100.")
            }
            bias[token] = Float(number)
        }
        return bias
    }

    private static func stop(_ fields: RequestFields) throws -> [String] {
        switch fields["stop"] {
        case nil: return []
        case .string(let text): return [text]
        case .array(let items):
            guard items.count <= 4 else { throw APIError.wrongValue("stop", "at most 4 strings are allowed.") }
            return try items.enumerated().map { index, item in
                guard let text = item.string else { throw APIError.wrongType("stop[\(index)]", "a string") }
                return text
            }
        default: throw APIError.wrongType("stop", "a string or an array of strings")
        }
    }

    private static func streamsUsage(_ fields: RequestFields, streams: Bool) throws -> Bool {
        guard let options = fields["stream_options"] else { return false }
        guard case .object(let members) = options else { throw APIError.wrongType("stream_options", "an object") }
        guard streams else { throw APIError.wrongValue("stream_options", "it is only allowed when 'stream' is true.") }
        if let value = members["include_obfuscation"], ![.null, false].contains(value) {
            throw UnsupportedFields.refusal("stream_options.include_obfuscation")
        }
        switch members["include_usage"] ?? .null {
        case .null: return false
        case .bool(let flag): return flag
        default: throw APIError.wrongType("stream_options.include_usage", "true or false")
        }
    }
}
