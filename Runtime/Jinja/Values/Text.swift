/// A string as Python has it, a sequence of code points, each of which knows who wrote it.
///
/// The template's own text is trusted; text that came in with the context may not be. Whatever a template does with a text
/// (joins, cuts, replaces, formats), every code point keeps its mark, and one that stands for another (an escape in JSON, a
/// capital letter) has that one's mark. Equality and order do not look at marks.
package struct Text: Sendable {
    /// A code point and its mark.
    struct Unit: Sendable {
        private let bits: UInt32
        private static let untrusted: UInt32 = 1 << 31

        init(_ scalar: Unicode.Scalar, isTrusted: Bool) {
            bits = scalar.value | (isTrusted ? 0 : Unit.untrusted)
        }

        var code: UInt32 { bits & ~Unit.untrusted }
        var isTrusted: Bool { bits & Unit.untrusted == 0 }
        /// A unit is only ever made of a scalar.
        var scalar: Unicode.Scalar { Unicode.Scalar(code) ?? "\u{fffd}" }
        func with(_ other: Unicode.Scalar) -> Unit { Unit(other, isTrusted: isTrusted) }
    }

    /// A stretch of one mark.
    package struct Span: Sendable, Equatable {
        package let text: String
        package let isTrusted: Bool
    }

    var units: [Unit]
    /// Python's `Markup`: what is added to it is escaped for HTML.
    var isMarkup = false

    init(_ units: some Sequence<Unit>, isMarkup: Bool = false) {
        self.units = Array(units)
        self.isMarkup = isMarkup
    }

    package init(_ string: String, isTrusted: Bool) {
        units = string.unicodeScalars.map { Unit($0, isTrusted: isTrusted) }
    }

    /// Text of the interpreter's own.
    init(_ string: String) { self.init(string, isTrusted: true) }

    package mutating func append(_ string: String, isTrusted: Bool) {
        units += string.unicodeScalars.lazy.map { Unit($0, isTrusted: isTrusted) }
    }

    package var string: String { Text.string(units) }

    static func string(_ units: some Sequence<Unit>) -> String {
        var view = String.UnicodeScalarView()
        for unit in units { view.append(unit.scalar) }
        return String(view)
    }

    /// The text in stretches, none of them empty, in which neighbours have different marks.
    package var spans: [Span] {
        var spans: [Span] = []
        var start = 0
        while start < units.count {
            let isTrusted = units[start].isTrusted
            let end = units[start...].firstIndex { $0.isTrusted != isTrusted } ?? units.count
            spans.append(Span(text: Text.string(units[start..<end]), isTrusted: isTrusted))
            start = end
        }
        return spans
    }

    var count: Int { units.count }
    var isEmpty: Bool { units.isEmpty }

    func slice(_ range: Range<Int>) -> Text { Text(units[range], isMarkup: isMarkup) }
    func map(_ transform: (Unit) -> [Unit]) -> Text { Text(units.flatMap(transform), isMarkup: isMarkup) }
}

extension Text.Unit: Hashable, Comparable {
    static func == (a: Self, b: Self) -> Bool { a.code == b.code }
    static func < (a: Self, b: Self) -> Bool { a.code < b.code }
    func hash(into hasher: inout Hasher) { hasher.combine(code) }
}

extension Text: Hashable, Comparable {
    package static func == (a: Text, b: Text) -> Bool { a.units == b.units }
    package static func < (a: Text, b: Text) -> Bool { a.units.lexicographicallyPrecedes(b.units) }
    package func hash(into hasher: inout Hasher) { hasher.combine(units) }
}

extension Text: ExpressibleByStringInterpolation {
    package init(stringLiteral value: String) { self.init(value) }
}

extension Text.Unit {
    /// What Python's `str.isspace` and `\s` take for white space.
    var isSpace: Bool {
        switch code {
        case 0x09...0x0d, 0x1c...0x20, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000: true
        default: false
        }
    }

    /// What `str.splitlines` takes for a line's end.
    var isLineBreak: Bool {
        switch code {
        case 0x0a...0x0d, 0x1c...0x1e, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }
}
