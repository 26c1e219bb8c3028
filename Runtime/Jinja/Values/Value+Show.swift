extension Value {
    /// Python's `str()`.
    var shown: Text {
        switch self {
        case .undefined: ""
        case .string(let text): text
        default: represented
        }
    }

    /// Python's `repr()`.
    var represented: Text {
        switch self {
        case .undefined: "Undefined"
        case .none: "None"
        case .bool(let flag): flag ? "True" : "False"
        case .int(let number): Text(String(number))
        case .float(let number): Text(PythonNumber.text(number))
        case .string(let text): text.isMarkup ? "Markup(" + text.quoted + ")" : text.quoted
        case .series(let series): series.represented
        case .dict(let dict): dict.represented
        case .object(let object as Namespace):
            "<Namespace {" + Text.joined(object.entries.map { $0.name.quoted + ": " + $0.value.represented }, separator: ", ") + "}>"
        case .object(let object): Text(object.shown)
        }
    }
}

extension Series {
    fileprivate var represented: Text {
        let list = Text.joined(items.lazy.map(\.represented), separator: ", ")
        return switch kind {
        case .list: "[" + list + "]"
        case .tuple, .group: "(" + list + (items.count == 1 ? ",)" : ")")
        case .keys, .values, .items: Text(kind.typeName) + "([" + list + "])"
        case .range(let start, let stop, let step): step == 1 ? "range(\(start), \(stop))" : "range(\(start), \(stop), \(step))"
        }
    }
}

extension Dict {
    fileprivate var represented: Text {
        "{" + Text.joined(entries.lazy.map { $0.represented + ": " + $1.represented }, separator: ", ") + "}"
    }
}

extension Text {
    /// In quotes as `repr` writes them: single ones, unless the text holds those and no double ones.
    var quoted: Text {
        let quote: Unicode.Scalar = units.contains { $0.code == 0x27 } && !units.contains { $0.code == 0x22 } ? "\"" : "'"
        let own = Text(String(quote))
        var inside = map { unit in
            switch unit.scalar {
            case "\\", quote: [unit.with("\\"), unit]
            case "\n": "\\n".unicodeScalars.map(unit.with)
            case "\r": "\\r".unicodeScalars.map(unit.with)
            case "\t": "\\t".unicodeScalars.map(unit.with)
            case let scalar where scalar.isPrintable: [unit]
            case let scalar: scalar.pythonEscape.unicodeScalars.map(unit.with)
            }
        }
        inside.isMarkup = false
        return own + inside + own
    }
}

extension Unicode.Scalar {
    /// As `str.isprintable` has it.
    var isPrintable: Bool {
        if self == " " { return true }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator: return false
        default: return true
        }
    }

    fileprivate var pythonEscape: String {
        let digits = String(value, radix: 16)
        func padded(_ width: Int) -> String { String(repeating: "0", count: width - digits.count) + digits }
        return value < 0x100 ? "\\x" + padded(2) : value < 0x10000 ? "\\u" + padded(4) : "\\U" + padded(8)
    }
}
