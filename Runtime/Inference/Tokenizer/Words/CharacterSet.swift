/// A set of characters as regular expressions name them: ranges, and Unicode's general categories.
struct CharacterSet: Hashable, Sendable {
    /// A bit for each general category, see ``Unicode/GeneralCategory/bit``.
    private(set) var categories: UInt32 = 0
    private(set) var ranges: [ClosedRange<UInt32>] = []
    private(set) var isNegated = false

    init() {}

    init(_ scalars: Unicode.Scalar...) {
        ranges = scalars.map { $0.value...$0.value }
    }

    /// White space, `\s`: the categories Z and the control characters among it.
    static let whitespace: CharacterSet = {
        var set = CharacterSet()
        set.categories = CharacterSet.categories(named: "Z") ?? 0
        set.ranges = [0x09...0x0d, 0x85...0x85]
        return set
    }()

    /// `\p{name}` for a general category or a group of them; `nil` for a name that is neither.
    init?(category name: String) {
        guard let categories = CharacterSet.categories(named: name) else { return nil }
        self.categories = categories
    }

    var inverted: CharacterSet {
        var set = self
        set.isNegated.toggle()
        return set
    }

    mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }

    /// Adds the members of a set that is not negated.
    mutating func formUnion(_ other: CharacterSet) {
        categories |= other.categories
        ranges += other.ranges
    }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        contains(categoryBit: scalar.properties.generalCategory.bit, isInRanges: ranges.contains { $0.contains(scalar.value) })
    }

    func contains(categoryBit: UInt32, isInRanges: Bool) -> Bool {
        (isInRanges || categories & categoryBit != 0) != isNegated
    }

    private static func categories(named name: String) -> UInt32? {
        let bits = Unicode.GeneralCategory.names.enumerated().filter { $0.element.hasPrefix(name) }.reduce(UInt32(0)) { $0 | 1 << UInt32($1.offset) }
        return bits == 0 || name.isEmpty ? nil : bits
    }
}

extension Unicode.GeneralCategory {
    static let names = [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So",
        "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
    ]

    /// The place of this category in ``names``.
    var index: Int {
        switch self {
        case .uppercaseLetter: 0
        case .lowercaseLetter: 1
        case .titlecaseLetter: 2
        case .modifierLetter: 3
        case .otherLetter: 4
        case .nonspacingMark: 5
        case .spacingMark: 6
        case .enclosingMark: 7
        case .decimalNumber: 8
        case .letterNumber: 9
        case .otherNumber: 10
        case .connectorPunctuation: 11
        case .dashPunctuation: 12
        case .openPunctuation: 13
        case .closePunctuation: 14
        case .initialPunctuation: 15
        case .finalPunctuation: 16
        case .otherPunctuation: 17
        case .mathSymbol: 18
        case .currencySymbol: 19
        case .modifierSymbol: 20
        case .otherSymbol: 21
        case .spaceSeparator: 22
        case .lineSeparator: 23
        case .paragraphSeparator: 24
        case .control: 25
        case .format: 26
        case .surrogate: 27
        case .privateUse: 28
        case .unassigned: 29
        @unknown default: 29
        }
    }

    var bit: UInt32 { 1 << UInt32(index) }
}
