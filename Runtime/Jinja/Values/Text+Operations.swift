/// Searching and cutting, as Python's `str` does it.
extension Text {
    /// Where `needle` begins, at `start` or behind; in linear time, by Knuth, Morris and Pratt.
    func firstIndex(of needle: Text, from start: Int = 0) -> Int? {
        let pattern = needle.units
        guard let first = pattern.first else { return start <= count ? start : nil }
        if pattern.count == 1 { return start < count ? units[start...].firstIndex(of: first) : nil }
        guard count - start >= pattern.count else { return nil }
        var fallback = [Int](repeating: 0, count: pattern.count)
        var length = 0
        for index in 1..<pattern.count {
            while length > 0, pattern[index] != pattern[length] { length = fallback[length - 1] }
            if pattern[index] == pattern[length] { length += 1 }
            fallback[index] = length
        }
        length = 0
        for index in start..<count {
            while length > 0, units[index] != pattern[length] { length = fallback[length - 1] }
            if units[index] == pattern[length] { length += 1 }
            if length == pattern.count { return index - length + 1 }
        }
        return nil
    }

    func lastIndex(of needle: Text) -> Int? {
        let reversed = Text(units.reversed()).firstIndex(of: Text(needle.units.reversed()))
        return reversed.map { count - $0 - needle.count }
    }

    func contains(_ needle: Text) -> Bool { firstIndex(of: needle) != nil }
    func starts(with prefix: Text) -> Bool { units.starts(with: prefix.units) }
    func ends(with suffix: Text) -> Bool { count >= suffix.count && units[(count - suffix.count)...].elementsEqual(suffix.units) }

    /// Where `needle` begins, without overlaps; of the empty text, between all code points.
    func indices(of needle: Text, limit: Int = .max) -> [Int] {
        var found: [Int] = []
        var start = 0
        while found.count < limit, let index = firstIndex(of: needle, from: start) {
            found.append(index)
            start = index + max(needle.count, 1)
            if start > count { break }
        }
        return found
    }

    func replacing(_ old: Text, at places: [Int], with new: Text) -> Text {
        var result: [Unit] = []
        result.reserveCapacity(count + places.count * (new.count - old.count))
        var end = 0
        for place in places {
            result += units[end..<place]
            result += new.units
            end = place + old.count
        }
        result += units[end...]
        return Text(result, isMarkup: isMarkup)
    }

    /// - Parameter characters: `nil` strips white space.
    func stripped(_ characters: Text?, left: Bool = true, right: Bool = true) -> Text {
        let set = characters.map { Set($0.units) }
        func strips(_ unit: Unit) -> Bool { set?.contains(unit) ?? unit.isSpace }
        var range = 0..<count
        if left { range = (units.firstIndex { !strips($0) } ?? count)..<count }
        if right { range = range.lowerBound..<((units[range].lastIndex { !strips($0) } ?? range.lowerBound - 1) + 1) }
        return slice(range)
    }

    /// - Parameter separator: `nil` splits at white space, and gives no empty parts.
    func split(_ separator: Text?, limit: Int = .max) -> [Text] {
        guard let separator else { return splitAtSpace(limit: limit) }
        var parts: [Text] = []
        var start = 0
        for place in indices(of: separator, limit: limit) {
            parts.append(slice(start..<place))
            start = place + separator.count
        }
        return parts + [slice(start..<count)]
    }

    private func splitAtSpace(limit: Int) -> [Text] {
        var parts: [Text] = []
        var start = units.firstIndex { !$0.isSpace }
        while let begin = start {
            guard parts.count < limit, let end = units[begin...].firstIndex(where: \.isSpace) else {
                return parts + [slice(begin..<count)]
            }
            parts.append(slice(begin..<end))
            start = units[end...].firstIndex { !$0.isSpace }
        }
        return parts
    }

    /// As ``split(_:limit:)``, with the limit counted from the right.
    func splitFromRight(_ separator: Text?, limit: Int = .max) -> [Text] {
        let parts = Text(units.reversed()).split(separator.map { Text($0.units.reversed()) }, limit: limit)
        return parts.reversed().map { Text($0.units.reversed(), isMarkup: isMarkup) }
    }

    func lines(keepingEnds: Bool = false) -> [Text] {
        var lines: [Text] = []
        var start = 0
        while start < count {
            let end = units[start...].firstIndex(where: \.isLineBreak) ?? count
            let isPair = end + 1 < count && units[end].code == 0x0d && units[end + 1].code == 0x0a
            let next = min(end + (isPair ? 2 : 1), count)
            lines.append(slice(start..<(keepingEnds ? next : end)))
            start = next
        }
        return lines
    }

    static func joined(_ parts: some Sequence<Text>, separator: Text = "") -> Text {
        var result: [Unit] = []
        for (index, part) in parts.enumerated() {
            if index > 0 { result += separator.units }
            result += part.units
        }
        return Text(result)
    }

    static func + (a: Text, b: Text) -> Text { Text(a.units + b.units) }
    static func += (a: inout Text, b: Text) { a.units += b.units }
}

/// Letters.
extension Text {
    var uppercased: Text { map { unit in unit.scalar.properties.uppercaseMapping.unicodeScalars.map(unit.with) } }
    var lowercased: Text { map { unit in unit.scalar.properties.lowercaseMapping.unicodeScalars.map(unit.with) } }

    /// The first letter large, all others small.
    var capitalized: Text {
        guard let first = units.first else { return self }
        let head = first.scalar.properties.titlecaseMapping.unicodeScalars.map(first.with)
        return Text(head + slice(1..<count).lowercased.units, isMarkup: isMarkup)
    }

    /// Every letter behind something that is no letter large, as `str.title`.
    var titled: Text {
        var isInside = false
        return map { unit in
            defer { isInside = unit.scalar.properties.isCased }
            let properties = unit.scalar.properties
            return (isInside ? properties.lowercaseMapping : properties.titlecaseMapping).unicodeScalars.map(unit.with)
        }
    }

    var swappedCase: Text {
        map { unit in
            let properties = unit.scalar.properties
            return (properties.isUppercase ? properties.lowercaseMapping : properties.uppercaseMapping).unicodeScalars.map(unit.with)
        }
    }

    /// Whether there are letters with a case, and all of them are large (small).
    func isAll(uppercase: Bool) -> Bool {
        let cased = units.filter(\.scalar.properties.isCased)
        return !cased.isEmpty && cased.allSatisfy { uppercase ? $0.scalar.properties.isUppercase : $0.scalar.properties.isLowercase }
    }

    /// Escaped for HTML, as MarkupSafe does it.
    var escaped: Text {
        if isMarkup { return self }
        var result = map { unit in
            let name: String.UnicodeScalarView
            switch unit.code {
            case 0x26: name = "&amp;".unicodeScalars
            case 0x3c: name = "&lt;".unicodeScalars
            case 0x3e: name = "&gt;".unicodeScalars
            case 0x22: name = "&#34;".unicodeScalars
            case 0x27: name = "&#39;".unicodeScalars
            default: return [unit]
            }
            return name.map(unit.with)
        }
        result.isMarkup = true
        return result
    }
}
