/// What the pre-tokenizers' regular expressions ask of a character.
enum CharacterClass: UInt8, Sendable {
    /// `\p{L}`
    case letter
    /// `\p{N}`
    case number
    /// `[\r\n]`
    case newline
    /// The rest of `\s`
    case space
    /// `[^\s\p{L}\p{N}]`
    case other

    var isWhitespace: Bool { self == .newline || self == .space }

    init(_ scalar: Unicode.Scalar) {
        if scalar.value < 128 {
            self = CharacterClass.ascii[Int(scalar.value)]
        } else {
            self.init(looking: scalar)
        }
    }

    private static let ascii: [CharacterClass] = (0..<128).map { CharacterClass(looking: Unicode.Scalar($0)) }

    private init(looking scalar: Unicode.Scalar) {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
        case .decimalNumber, .letterNumber, .otherNumber: self = .number
        default: self = scalar == "\r" || scalar == "\n" ? .newline : scalar.properties.isWhitespace ? .space : .other
        }
    }
}

extension [UInt8] {
    /// The scalar that begins at `position` of valid UTF-8, and its length in bytes.
    func scalar(at position: Int) -> (scalar: Unicode.Scalar, length: Int) {
        let lead = self[position]
        guard lead >= 0x80 else { return (Unicode.Scalar(lead), 1) }
        let length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
        var value = UInt32(lead) & (0x7f >> UInt32(length))
        for trail in self[position + 1..<position + length] { value = value << 6 | UInt32(trail & 0x3f) }
        return (Unicode.Scalar(value) ?? "\u{fffd}", length)
    }
}
