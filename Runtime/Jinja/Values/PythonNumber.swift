#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Numbers as Python writes and reads them.
enum PythonNumber {
    /// `repr` of a float: the shortest text that reads back as the same, with an exponent below 1e-4 and from 1e16.
    static func text(_ number: Double) -> String {
        if number.isNaN { return "nan" }
        if number.isInfinite { return number < 0 ? "-inf" : "inf" }
        let sign = number.sign == .minus ? "-" : ""
        if number == 0 { return sign + "0.0" }
        // Swift finds the same digits, and lays them out otherwise.
        let parts = "\(number.magnitude)".split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let fraction = mantissa.count > 1 ? mantissa[1] : ""
        var digits = String(mantissa[0] + fraction)
        var point = mantissa[0].count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        let leading = digits.prefix { $0 == "0" }.count
        digits.removeFirst(leading)
        point -= leading
        while digits.last == "0" { digits.removeLast() }
        if point < -3 || point > 16 {
            let rest = digits.dropFirst()
            let exponent = String((point - 1).magnitude)
            return sign + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest) + "e" + (point < 1 ? "-" : "+")
                + (exponent.count < 2 ? "0" : "") + exponent
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point { return sign + digits + String(repeating: "0", count: point - digits.count) + ".0" }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }

    static func powerOfTen(_ exponent: Int) -> Double { pow(10, Double(exponent)) }

    /// As C's `%.2f` with two digits.
    static func fixed(_ number: Double, digits: Int) -> String { printed(number, digits, "f") }

    /// - Parameter conversion: `e`, `f` or `g`, small or large.
    static func printed(_ number: Double, _ digits: Int, _ conversion: Character, keepsPoint: Bool = false) -> String {
        let format = "%\(keepsPoint ? "#" : "").\(max(0, digits))\(conversion)"
        return withVaList([number]) { list in
            // The largest number has 309 digits before its point.
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: digits + 400) { buffer in
                guard let base = buffer.baseAddress else { return "" }
                let count = vsnprintf(base, buffer.count, format, list)
                return String(decoding: UnsafeRawBufferPointer(start: base, count: min(max(0, Int(count)), buffer.count - 1)), as: UTF8.self)
            }
        }
    }

    /// Python's `float(text)`.
    static func float(_ text: String) -> Double? {
        let text = Text(text).stripped(nil).string
        guard let digits = withoutUnderscores(text) else { return nil }
        let word = digits.lowercased()
        let unsigned = word.hasPrefix("-") || word.hasPrefix("+") ? String(word.dropFirst()) : word
        if ["inf", "infinity"].contains(unsigned) { return word.hasPrefix("-") ? -.infinity : .infinity }
        if unsigned == "nan" { return .nan }
        guard unsigned.utf8.allSatisfy({ (0x30...0x39).contains($0) || "e.+-".utf8.contains($0) }) else { return nil }
        // Swift takes neither `1.` nor `.5`.
        var parts = digits.split(separator: "e", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if parts.count == 1 { parts = digits.split(separator: "E", maxSplits: 1, omittingEmptySubsequences: false).map(String.init) }
        guard parts[0].contains(where: \.isNumber) else { return nil }
        if parts[0].hasSuffix(".") { parts[0] += "0" }
        if let point = parts[0].firstIndex(of: "."), point == parts[0].startIndex || !parts[0][parts[0].index(before: point)].isNumber {
            parts[0].insert("0", at: point)
        }
        return Double(parts.joined(separator: "e"))
    }

    /// Python's `int(text, base)`.
    static func integer(_ text: String, base: Int) -> Int? {
        guard let digits = withoutUnderscores(text), base == 0 || (2...36).contains(base) else { return nil }
        let isSigned = digits.hasPrefix("-") || digits.hasPrefix("+")
        var unsigned = String(isSigned ? digits.dropFirst() : digits[...])
        var radix = base
        for (prefix, value) in [("0x", 16), ("0o", 8), ("0b", 2)] where unsigned.lowercased().hasPrefix(prefix) && (base == value || base == 0) {
            unsigned.removeFirst(2)
            radix = value
        }
        guard unsigned.first.map({ $0 != "-" && $0 != "+" }) ?? false else { return nil }
        return Int((digits.hasPrefix("-") ? "-" : "") + unsigned, radix: radix == 0 ? 10 : radix)
    }

    /// `1_000`; `nil` where an underscore does not stand between digits.
    private static func withoutUnderscores(_ text: String) -> String? {
        guard text.contains("_") else { return text }
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.dropLast().allSatisfy({ $0.last?.isHexDigit == true }), parts.dropFirst().allSatisfy({ $0.first?.isHexDigit == true }) else { return nil }
        return parts.joined()
    }
}
