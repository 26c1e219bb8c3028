/// Decimal numbers between two bounds, digit by digit.
///
/// Written without an exponent; with up to 17 digits behind the point where fractions are allowed.
struct NumberRange {
    /// A bound's size: whole digits and digits behind the point, as text.
    struct Bound: Hashable {
        var whole: String
        var fraction: String
        var isInclusive: Bool

        fileprivate static let zero = Bound(whole: "0", fraction: "", isInclusive: true)
    }

    private static let mostDigits = 17

    let allowsFraction: Bool

    /// - Returns: `nil` where nothing lies between the bounds.
    func expression(from low: Double?, isLowInclusive: Bool, to high: Double?, isHighInclusive: Bool) throws(GrammarError) -> Expression? {
        func bound(_ value: Double, _ isInclusive: Bool) throws(GrammarError) -> Bound {
            guard let bound = Bound(value, isInclusive: isInclusive) else { throw GrammarError("the bound \(value) has too many digits") }
            return bound
        }
        var choices: [Expression] = []
        // Below zero the bounds change places.
        if low.map({ $0 < 0 }) ?? true {
            let nearest = try high.flatMap { (high) throws(GrammarError) in high < 0 ? try bound(high, isHighInclusive) : nil }
            let farthest = try low.map { (low) throws(GrammarError) in try bound(low, isLowInclusive) }
            var least = nearest ?? .zero
            // Minus zero is zero, and zero belongs to the other half.
            if nearest == nil { least.isInclusive = false }
            if let magnitude = magnitudes(from: least, to: farthest) { choices.append(.sequence([.text("-"), magnitude])) }
        }
        if high.map({ $0 >= 0 }) ?? true {
            let nearest = try low.flatMap { (low) throws(GrammarError) in low >= 0 ? try bound(low, isLowInclusive) : nil }
            let farthest = try high.map { (high) throws(GrammarError) in try bound(high, isHighInclusive) }
            if let magnitude = magnitudes(from: nearest ?? .zero, to: farthest) { choices.append(magnitude) }
        }
        return choices.isEmpty ? nil : .choice(choices)
    }

    private func magnitudes(from low: Bound, to high: Bound?) -> Expression? {
        let longest = high?.whole.count ?? max(low.whole.count, Self.mostDigits)
        guard low.whole.count <= longest else { return nil }
        let choices = (low.whole.count...longest).compactMap { count in
            whole(
                digits: count, position: 0, low: count == low.whole.count ? low : nil, high: count == high?.whole.count ? high : nil)
        }
        return choices.isEmpty ? nil : .choice(choices)
    }

    /// The rest of a number's whole digits. `low` and `high` are `nil` as soon as the digits before have left the bound behind.
    private func whole(digits count: Int, position: Int, low: Bound?, high: Bound?) -> Expression? {
        guard position < count else { return fraction(position: 0, low: low, high: high) }
        if low == nil, high == nil {
            let digits = Expression.repeated(JSONSyntax.digit, atLeast: count - position, atMost: count - position)
            let lead = position == 0 && count > 1
                ? Expression.sequence([.character(ScalarSet([0x31...0x39])), .repeated(JSONSyntax.digit, atLeast: count - 1, atMost: count - 1)])
                : digits
            return .sequence([lead, anyFraction])
        }
        let first: UInt8 = position == 0 && count > 1 ? 1 : 0
        return digits(
            from: max(low.map { Self.digit($0.whole, position) } ?? 0, first), to: high.map { Self.digit($0.whole, position) } ?? 9,
            low.map { Self.digit($0.whole, position) }, high.map { Self.digit($0.whole, position) }
        ) { staysLow, staysHigh in
            whole(digits: count, position: position + 1, low: staysLow ? low : nil, high: staysHigh ? high : nil)
        }
    }

    /// What may follow behind the whole digits.
    private func fraction(position: Int, low: Bound?, high: Bound?) -> Expression? {
        guard allowsFraction else {
            // A whole number equal to the bound's whole part.
            if let low, !(low.fraction.isEmpty && low.isInclusive) { return nil }
            if let high, high.fraction.isEmpty, !high.isInclusive { return nil }
            return .empty
        }
        if low == nil, high == nil { return position == 0 ? anyFraction : .repeated(JSONSyntax.digit, atLeast: 0, atMost: Self.mostDigits) }
        let isLowReached = low.map { position >= $0.fraction.count } ?? true
        let isHighReached = high.map { position >= $0.fraction.count } ?? true
        // Ending here fills up with zeros: that is the bound itself where all of its digits have come, and below it else.
        let mayEnd = low.map { isLowReached && $0.isInclusive } ?? true && high.map { !isHighReached || $0.isInclusive } ?? true
        guard position < Self.mostDigits else { return mayEnd ? .empty : nil }
        let lowDigit = low.map { Self.digit($0.fraction, position) }
        let highDigit = high.map { Self.digit($0.fraction, position) }
        // Behind a bound's last digit only zeros stay on it, and an exclusive upper bound must have been left before.
        let continues: Expression? =
            high.map { isHighReached && !$0.isInclusive } ?? false
            ? nil
            : digits(from: lowDigit ?? 0, to: highDigit ?? 9, lowDigit, highDigit) { staysLow, staysHigh in
                fraction(position: position + 1, low: staysLow ? low : nil, high: staysHigh ? high : nil)
            }
        let more = continues.map { position == 0 ? Expression.sequence([.text("."), $0]) : $0 }
        return switch (mayEnd, more) {
        case (true, let more?): .optional(more)
        case (true, nil): .empty
        case (false, let more): more
        }
    }

    private var anyFraction: Expression {
        allowsFraction ? .optional(.sequence([.text("."), .repeated(JSONSyntax.digit, atLeast: 1, atMost: Self.mostDigits)])) : .empty
    }

    /// One digit and what follows it, apart for digits that stay on a bound and those that leave it behind.
    private func digits(
        from least: UInt8, to most: UInt8, _ low: UInt8?, _ high: UInt8?, then rest: (_ staysLow: Bool, _ staysHigh: Bool) -> Expression?
    ) -> Expression? {
        guard least <= most else { return nil }
        var choices: [Expression] = []
        var free: [ClosedRange<UInt32>] = []
        for digit in least...most {
            guard digit == low || digit == high else {
                free.append(UInt32(0x30 + digit)...UInt32(0x30 + digit))
                continue
            }
            if let rest = rest(digit == low, digit == high) { choices.append(.sequence([.text(String(digit)), rest])) }
        }
        if !free.isEmpty, let rest = rest(false, false) { choices.append(.sequence([.character(ScalarSet(free)), rest])) }
        return choices.isEmpty ? nil : .choice(choices)
    }

    /// The digit at a place; 0 behind the end.
    private static func digit(_ digits: String, _ position: Int) -> UInt8 {
        guard position < digits.utf8.count else { return 0 }
        return digits.utf8[digits.utf8.index(digits.utf8.startIndex, offsetBy: position)] - 0x30
    }
}

extension NumberRange.Bound {
    /// - Returns: `nil` for a number whose decimal text is too long to handle.
    init?(_ value: Double, isInclusive: Bool) {
        let text = value.magnitude.description
        guard let (whole, fraction) = Self.expand(text) else { return nil }
        self.init(whole: whole, fraction: fraction, isInclusive: isInclusive)
    }

    /// `1.5e-07` without its exponent.
    private static func expand(_ text: String) -> (String, String)? {
        let parts = text.split(separator: "e")
        guard let mantissa = parts.first, let exponent = parts.count == 2 ? Int(parts[1]) : 0, abs(exponent) <= 17 else { return nil }
        let halves = mantissa.split(separator: ".")
        var digits = halves.joined()
        var point = halves[0].count + exponent
        while point <= 0 { (digits, point) = ("0" + digits, point + 1) }
        while digits.count < point { digits += "0" }
        var whole = String(digits.prefix(point).drop { $0 == "0" })
        if whole.isEmpty { whole = "0" }
        var fraction = String(digits.dropFirst(point))
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return (whole, fraction)
    }
}
