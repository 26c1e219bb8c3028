/// Numbers in the text of a grammar or a pattern.
extension [Unicode.Scalar] {
    /// The decimal number at `place`, which is moved behind it.
    /// - Returns: `nil` where there is none; `Int.max` for one that is larger.
    func decimal(at place: inout Int) -> Int? {
        let digits = self[place...].prefix { ("0"..."9").contains($0) }
        guard !digits.isEmpty else { return nil }
        place = digits.endIndex
        return Int(String(String.UnicodeScalarView(digits))) ?? .max
    }

    /// The number that so many hexadecimal digits at `place` write; `place` is moved behind them.
    /// - Returns: `nil` where there are fewer.
    func hexadecimal(digits count: Int, at place: inout Int) -> UInt32? {
        let digits = self[place...].prefix(count)
        guard digits.count == count, digits.allSatisfy({ $0.isASCII && Character($0).isHexDigit }) else { return nil }
        place = digits.endIndex
        return UInt32(String(String.UnicodeScalarView(digits)), radix: 16)
    }
}
