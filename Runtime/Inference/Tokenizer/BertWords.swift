/// BERT's basic tokenization for uncased vocabularies: clean, lower-case, without accents, split at spaces and punctuation.
///
/// Source: `BasicTokenizer` in https://github.com/google-research/bert/blob/master/tokenization.py; where that and the
/// `tokenizers` library differ on rare characters, this follows the library, with which today's models are trained.
enum BertWords {
    /// Calls `body` with each word of `text`, after normalization, as UTF-8.
    static func forEach(in text: String, _ body: ([UInt8]) -> Void) {
        var word: [UInt8] = []
        func finish() {
            if !word.isEmpty { body(word) }
            word.removeAll(keepingCapacity: true)
        }
        for scalar in text.canonicallyDecomposed {
            switch Role(scalar) {
            case .separator: finish()
            case .nothing: break
            case .word:
                finish()
                word.append(contentsOf: String(scalar).utf8)
                finish()
            case .letter:
                if scalar.isASCII {
                    word.append(UInt8(scalar.value) | ((0x41...0x5a).contains(scalar.value) ? 0x20 : 0))
                } else {
                    word.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
                }
            }
        }
        finish()
    }

    private enum Role {
        case separator
        /// Control characters, and marks above and below letters.
        case nothing
        /// A word of its own: punctuation, and ideographs, which are written without spaces.
        case word
        case letter

        init(_ scalar: Unicode.Scalar) {
            switch scalar.value {
            case 0x09, 0x0a, 0x0d, 0x20: self = .separator
            case 0x00...0x1f, 0x7f: self = .nothing
            case 0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e: self = .word
            case 0x00...0x7f: self = .letter
            case 0x4e00...0x9fff, 0x3400...0x4dbf, 0x20000...0x2a6df, 0x2a700...0x2ceaf, 0xf900...0xfaff, 0x2f800...0x2fa1f: self = .word
            case 0xfffd: self = .nothing
            default: self.init(looking: scalar)
            }
        }

        private init(looking scalar: Unicode.Scalar) {
            switch scalar.properties.generalCategory {
            case .control, .format, .privateUse, .nonspacingMark: self = .nothing
            case .spaceSeparator, .lineSeparator, .paragraphSeparator: self = .separator
            case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
                .otherPunctuation:
                self = .word
            default: self = .letter
            }
        }
    }
}
