/// How a family of byte-pair vocabularies treats text before its bytes are merged, by the name in `tokenizer.ggml.pre`.
package struct PreTokenizer: Sendable {
    /// The name in files, and others for the same.
    package let names: [String]
    /// See ``WordSplitter``.
    let patterns: [String]
    /// A word that is a token is taken whole, even if no merges lead to it.
    var prefersWholeWords = false
    /// Text is brought into normalization form C first.
    var composes = false
    /// Where the file does not say it.
    var addsBeginningOfSequence = false
    /// How the vocabulary writes bytes.
    var alphabet = Alphabet.byteLevel

    enum Alphabet: Sendable {
        /// GPT-2's printable stand-ins for bytes, see ``ByteLevelAlphabet``.
        case byteLevel
        /// Characters as they are, `▁` for a space, and `<0x0A>` for bytes of characters that it lacks.
        case characters
    }

    /// The one with this name in files; `nil` if there is none.
    package static func named(_ name: String) -> PreTokenizer? { all.first { $0.names.contains(name) } }

    /// All names, for an error.
    static var knownNames: String { all.map { $0.names[0] }.joined(separator: ", ") }

    /// - Throws: ``Pattern/SyntaxError``, which a test holds to be impossible for ``all``.
    package func splitter() throws -> WordSplitter { try WordSplitter(patterns) }

    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    private static let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    private static let spaces = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
    /// Runs of letters in one case after the other: `tokenBased`, `HTTPServer`.
    private static let casedWords = [
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"#,
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#,
    ]

    private static func llama3(digits: String, contractions: String = contractions + "|") -> String {
        contractions + #"[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + spaces
    }
    private static func cased(digits: String, contractions: String = "") -> String {
        casedWords.map { $0 + contractions }.joined(separator: "|") + "|" + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces
    }
    private static func deepSeek3(_ end: String) -> String {
        ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+"## + end + #"\s+(?!\S)|\s+"#
    }
    private static let chineseAndJapanese = "[一-龥\u{3040}-ゟ゠-ヿ]+"
    private static let sentenceParts = " ?[^(\\s|.,!?…。，、।۔،)]+"

    /// Sources: the `pre_tokenizer` in the families' tokenizer.json files, and
    /// https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp for the names.
    package static let all: [PreTokenizer] = [
        PreTokenizer(
            names: [
                "gpt-2", "default", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en", "jina-v2-code", "roberta-bpe",
                "gigachat", "a.x-4.0", "mellum", "modern-bert", "exaone4",
            ], patterns: [gpt2]),
        PreTokenizer(names: ["mpt", "olmo", "jais", "trillion", "granite-docling"], patterns: [gpt2]),
        PreTokenizer(
            names: ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"],
            patterns: [llama3(digits: #"\p{N}{1,3}"#)], prefersWholeWords: true, addsBeginningOfSequence: true),
        PreTokenizer(names: ["dbrx", "smaug-bpe", "chatglm-bpe"], patterns: [llama3(digits: #"\p{N}{1,3}"#)]),
        PreTokenizer(names: ["glm4", "glm5"], patterns: [llama3(digits: #"\p{N}{1,3}"#)], prefersWholeWords: true),
        PreTokenizer(names: ["qwen2"], patterns: [llama3(digits: #"\p{N}"#)], composes: true),
        PreTokenizer(
            names: ["qwen35"],
            patterns: [contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"# + spaces]),
        PreTokenizer(
            names: ["deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2"],
            patterns: [llama3(digits: #"\p{N}"#)]),
        PreTokenizer(names: ["ufakzeka"], patterns: [llama3(digits: #"\p{N}"#, contractions: "")]),
        PreTokenizer(names: ["laguna"], patterns: [#"[^\n]+|[\n]+"#, llama3(digits: #"\p{N}"#)]),
        PreTokenizer(names: ["minicpm5"], patterns: [#"\p{N}{1,3}"#, llama3(digits: #"\p{N}+"#)], prefersWholeWords: true),
        PreTokenizer(
            names: ["bailingmoe", "bailingmoe2", "llada-moe"],
            patterns: [#"'(?i:s|d|m|t|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#]),
        PreTokenizer(
            names: ["seed-coder"], patterns: [contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|"# + spaces]),
        PreTokenizer(
            names: ["exaone-moe"],
            patterns: [
                contractions
                    + #"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"#
            ]),
        PreTokenizer(
            names: ["smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"], patterns: [#"\p{N}"#, gpt2]),
        PreTokenizer(names: ["command-r"], patterns: [#"\p{N}"#, gpt2], composes: true),
        PreTokenizer(names: ["falcon"], patterns: [#"[\p{P}\$\+<=>\^~\|`]+"#, gpt2, "[0-9][0-9][0-9]"]),
        PreTokenizer(
            names: ["deepseek-llm"],
            patterns: [
                #"[\r\n]"#, latinWords, #"\s?[!-/:-~！-／：-～‘-‟　-。]+"#, #"\s+$|\s+(*SKIP)"#, "[一-龥\u{800}-一가-\u{d7ff}]+", #"\p{N}+"#,
            ]),
        PreTokenizer(
            names: ["deepseek-coder"], patterns: [#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[一-龥\u{800}-一가-\u{d7ff}]+", #"\p{N}"#]),
        PreTokenizer(
            names: ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
            patterns: [#"\p{N}{1,3}"#, chineseAndJapanese, deepSeek3(#"[\r\n]*|\s*[\r\n]+|"#)]),
        PreTokenizer(names: ["spark2_5"], patterns: [#"\p{N}{1,3}"#, chineseAndJapanese, deepSeek3(#"|[\r\n]|"#), #"\p{N}"#]),
        PreTokenizer(
            names: ["youtu"],
            patterns: ["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + chineseAndJapanese, cased(digits: #"\p{N}"#, contractions: contractions + "?")],
            prefersWholeWords: true),
        PreTokenizer(names: ["tekken"], patterns: [cased(digits: #"\p{N}"#)], prefersWholeWords: true, addsBeginningOfSequence: true),
        PreTokenizer(
            names: ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
            patterns: [cased(digits: #"\p{N}{1,3}"#, contractions: contractions + "?")]),
        PreTokenizer(
            names: ["granite-embed-multi-97m"], patterns: [cased(digits: #"\p{N}{1,3}"#, contractions: contractions + "?")],
            prefersWholeWords: true),
        PreTokenizer(names: ["poro-chat", "bloom", "gpt3-finnish"], patterns: [sentenceParts]),
        PreTokenizer(names: ["viking"], patterns: [sentenceParts, #"\p{N}"#]),
        PreTokenizer(
            names: ["chameleon"],
            patterns: [
                "<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z", #"[\t\n]|    |  "#, #"\p{N}"#, #"[\p{P}!-/:-@\[-`{-~]"#, gpt2,
            ], addsBeginningOfSequence: true),
        PreTokenizer(
            names: ["gemma4", "granite-embed-multi-311m"], patterns: [#"[^\n]+|[\n]+"#], addsBeginningOfSequence: true, alphabet: .characters),
        PreTokenizer(names: ["sarvam-moe"], patterns: [#"[^\n]+|[\n]+"#], alphabet: .characters),
    ]
}
