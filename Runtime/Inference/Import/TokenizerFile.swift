/// The parts of Hugging Face's `tokenizer.json` that GGUF has too.
struct TokenizerFile: Decodable {
    struct Model: Decodable {
        let type: String?
        let vocab: [String: Int]
        /// A unigram model's, by number.
        let scores: [Float]
        let merges: [Merge]
        let byte_fallback: Bool?
        let unk_token, continuing_subword_prefix: String?
        let unk_id: Int?

        private enum CodingKeys: String, CodingKey { case type, vocab, merges, byte_fallback, unk_token, unk_id, continuing_subword_prefix }

        /// A unigram model's vocabulary is a list, the others' an object.
        init(from decoder: any Swift.Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            type = try container.decodeIfPresent(String.self, forKey: .type)
            merges = try container.decodeIfPresent([Merge].self, forKey: .merges) ?? []
            byte_fallback = try container.decodeIfPresent(Bool.self, forKey: .byte_fallback)
            unk_token = try container.decodeIfPresent(String.self, forKey: .unk_token)
            continuing_subword_prefix = try container.decodeIfPresent(String.self, forKey: .continuing_subword_prefix)
            unk_id = try container.decodeIfPresent(Int.self, forKey: .unk_id)
            if type == "Unigram" {
                let pieces = try container.decode([ScoredPiece].self, forKey: .vocab)
                vocab = Dictionary(pieces.enumerated().map { ($1.text, $0) }) { first, _ in first }
                scores = pieces.map(\.score)
            } else {
                (vocab, scores) = (try container.decode([String: Int].self, forKey: .vocab), [])
            }
        }
    }

    /// `["piece", -3.5]`
    private struct ScoredPiece: Decodable {
        let text: String
        let score: Float

        init(from decoder: any Swift.Decoder) throws {
            var container = try decoder.unkeyedContainer()
            (text, score) = (try container.decode(String.self), try container.decode(Float.self))
        }
    }

    /// `"a b"` in older files, `["a", "b"]` in newer ones.
    struct Merge: Decodable {
        let left, right: String

        init(from decoder: any Swift.Decoder) throws {
            let container = try decoder.singleValueContainer()
            let parts = try (try? container.decode(String.self)).map { $0.split(separator: " ").map(String.init) } ?? container.decode([String].self)
            guard parts.count == 2 else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "a merge has two parts")
            }
            (left, right) = (parts[0], parts[1])
        }
    }

    struct AddedToken: Decodable {
        let id: Int
        let content: String
        let special: Bool
    }

    struct Step: Decodable {
        struct Pattern: Decodable {
            let Regex: String?
        }
        struct Piece: Decodable {
            struct Special: Decodable { let id: String }
            let SpecialToken: Special?
        }
        let type: String
        let pretokenizers, processors, normalizers: [Step]?
        let prepend, prepend_scheme, precompiled_charsmap: String?
        let use_regex, add_prefix_space, individual_digits, lowercase, strip_accents: Bool?
        let pattern: Pattern?
        let single: [Piece]?

        /// This step, or the steps that it is a sequence of.
        var steps: [Step] { (pretokenizers ?? processors ?? normalizers).map { $0.flatMap(\.steps) } ?? [self] }
    }

    let model: Model
    let added_tokens: [AddedToken]?
    let normalizer, pre_tokenizer, post_processor: Step?

    /// Whether a text's tokens begin with this one.
    func beginsWith(_ token: String?) -> Bool {
        token != nil && post_processor?.steps.contains { $0.single?.first?.SpecialToken?.id == token } == true
    }

    /// Whether a text's tokens end with this one.
    func endsWith(_ token: String?) -> Bool {
        token != nil && post_processor?.steps.contains { $0.single?.last?.SpecialToken?.id == token } == true
    }

    /// The token of what the vocabulary lacks.
    var unknown: (text: String, number: Int)? {
        if let text = model.unk_token { return model.vocab[text].map { (text, $0) } }
        guard let number = model.unk_id else { return nil }
        return model.vocab.first { $0.value == number }.map { ($0.key, number) }
    }

    /// Whether a text's first word gets a space before it.
    var addsSpace: Bool {
        let prepends = normalizer?.steps.contains { $0.type == "Prepend" && $0.prepend == "▁" } ?? false
        let marks = pre_tokenizer?.steps.first { $0.type == "Metaspace" }
        return prepends || marks.map { $0.prepend_scheme.map { $0 != "never" } ?? $0.add_prefix_space ?? true } ?? false
    }

    /// Whether spaces at a text's begin and end, and more than one in a row, do not count.
    var mergesSpaces: Bool {
        let isSplit = pre_tokenizer?.steps.contains { $0.type == "WhitespaceSplit" } ?? false
        return isSplit || normalizer?.steps.contains { $0.type == "Replace" && $0.pattern?.Regex == " {2,}" } ?? false
    }

    /// GGUF's name for how text is split into words, `tokenizer.ggml.pre`; `nil` if it is none that we have.
    var style: String? {
        guard let steps = pre_tokenizer?.steps, let last = steps.last, last.type == "ByteLevel", last.add_prefix_space != true else { return nil }
        let name: String
        switch (steps.count, steps[0].type) {
        case (1, _) where last.use_regex != false: name = "gpt-2"
        case (2, "Digits") where steps[0].individual_digits == true && last.use_regex != false: name = "smollm"
        case (2, "Split") where last.use_regex == false:
            switch steps[0].pattern?.Regex {
            case TokenizerFile.llama3Expression: name = "llama-bpe"
            case TokenizerFile.llama3Expression.replacing("{1,3}", with: ""): name = "qwen2"
            default: return nil
            }
        default: return nil
        }
        return normalizer?.type == (name == "qwen2" ? "NFC" : nil) ? name : nil
    }

    private static let llama3Expression =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
}

/// The parts of `tokenizer_config.json` that GGUF has too.
struct TokenizerConfig: Decodable {
    /// A string, or an object that has it as `content`.
    struct Token: Decodable {
        let text: String

        private struct Object: Decodable { let content: String }

        init(from decoder: any Swift.Decoder) throws {
            let container = try decoder.singleValueContainer()
            text = try (try? container.decode(String.self)) ?? container.decode(Object.self).content
        }
    }

    /// A string, or a list of named ones.
    struct Template: Decodable {
        let text: String?

        private struct Named: Decodable { let name, template: String }

        init(from decoder: any Swift.Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let template = try? container.decode(String.self) {
                text = template
            } else {
                text = try container.decode([Named].self).first { $0.name == "default" }?.template
            }
        }
    }

    var bos_token, eos_token, pad_token: Token?
    var add_bos_token, add_eos_token: Bool?
    var chat_template: Template?
}
