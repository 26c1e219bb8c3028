import Wire
import Yams

/// Reads a YAML mapping key by key; every mistake is reported with its line, and a key nobody asked for is a mistake.
package struct YAMLReader {
    package let file: String
    private let pairs: [(name: String, key: Node, value: Node)]
    private let line: Int?

    /// - Throws: ``ManifestError`` when `text` is not one YAML mapping.
    package init(_ text: String, file: String) throws {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch YamlError.parser(_, let problem, let mark, _), YamlError.scanner(_, let problem, let mark, _) {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            let hasBrace = lines.indices.contains(mark.line - 1) && lines[mark.line - 1].contains("/{")
            let hint = hasBrace ? "; put a route with braces in quotes: \"GET /items/{id}\"" : ""
            throw ManifestError(file: file, line: mark.line, message: "not valid YAML: \(problem)\(hint)")
        } catch YamlError.duplicatedKeysInMapping(let names, _) {
            // The parser knows only where the mapping begins.
            let name = names.first ?? ""
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            let second = lines.indices.filter { lines[$0].drop { $0 == " " }.hasPrefix("\(name):") }.dropFirst().first
            throw ManifestError(file: file, line: second.map { $0 + 1 }, message: "the key '\(name)' appears twice")
        } catch {
            throw ManifestError(file: file, message: "not valid YAML: \(error)")
        }
        guard let root else { throw ManifestError(file: file, message: "is empty") }
        try self.init(root, file: file)
    }

    private init(_ node: Node, file: String) throws {
        guard let mapping = node.mapping else {
            throw ManifestError(file: file, line: node.mark?.line, message: "expected a mapping of keys to values")
        }
        self.file = file
        self.line = node.mark?.line
        self.pairs = try mapping.map { key, value in
            guard let name = key.string else {
                throw ManifestError(file: file, line: key.mark?.line, message: "a key must be a word")
            }
            return (name, key, value)
        }
    }

    package var keys: [String] { pairs.map(\.name) }

    /// - Throws: ``ManifestError`` for a key that is not among `known`, with the nearest known one.
    package func allow(_ known: String...) throws { try allow(known) }

    package func allow(_ known: [String]) throws {
        for pair in pairs where !known.contains(pair.name) {
            let nearest = known.min { $0.distance(to: pair.name) < $1.distance(to: pair.name) }
            let hint = nearest.map { $0.distance(to: pair.name) <= 2 ? "; did you mean '\($0)'?" : "" } ?? ""
            throw ManifestError(
                file: file, line: pair.key.mark?.line,
                message: "unknown key '\(pair.name)'\(hint.isEmpty ? "; the keys are \(known.joined(separator: ", "))" : hint)")
        }
    }

    package func text(_ key: String) throws -> String? {
        try value(key) { $0.scalar?.string }.map { text in
            guard !text.isEmpty else { throw failure(key, "must not be empty") }
            return text
        }
    }

    /// One of some words.
    package func word(_ key: String, among known: [String]) throws -> String? {
        try value(key, expected: "one of \(known.joined(separator: ", "))") { node in
            node.scalar.flatMap { known.contains($0.string) ? $0.string : nil }
        }
    }

    /// A list of words; a single word is a list of one.
    package func list(_ key: String) throws -> [String]? {
        try value(key, expected: "a list of words") { node in
            if let word = node.scalar?.string { return [word] }
            guard let items = node.sequence else { return nil }
            let words = items.compactMap { $0.scalar?.string }
            return words.count == items.count ? words : nil
        }
    }

    package func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
        try value(key, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") { node in
            node.scalar.flatMap { Int($0.string) }.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    package func flag(_ key: String) throws -> Bool? {
        try value(key, expected: "true or false") { $0.scalar.flatMap { ["true": true, "false": false][$0.string] } }
    }

    /// For example `250ms`, `60s`, `5m`, `1h`.
    package func duration(_ key: String) throws -> Duration? {
        try value(key, expected: "a duration such as 250ms, 60s or 5m") { $0.scalar.flatMap { Duration(written: $0.string) } }
    }

    /// A duration that something may take, so that none is too short.
    package func positiveDuration(_ key: String) throws -> Duration? {
        let duration = try duration(key)
        guard duration.map({ $0 > .zero }) ?? true else { throw failure(key, "must be more than 0s") }
        return duration
    }

    /// Bytes, for example `4096`, `512KiB`, `1MiB`.
    package func size(_ key: String, upTo largest: Int) throws -> Int? {
        try value(key, expected: "a size such as 512KiB or 1MiB, at most \(largest) bytes") { node in
            node.scalar.flatMap { ByteCount($0.string)?.count }.flatMap { (1...largest).contains($0) ? $0 : nil }
        }
    }

    package func mapping(_ key: String) throws -> YAMLReader? {
        guard let pair = pairs.first(where: { $0.name == key }) else { return nil }
        return try YAMLReader(pair.value, file: file)
    }

    /// An error about `key`'s value, at its line.
    package func failure(_ key: String, _ message: String) -> ManifestError {
        let pair = pairs.first { $0.name == key }
        return ManifestError(file: file, line: pair?.value.mark?.line ?? line, message: "'\(key)' \(message)")
    }

    private func value<T>(_ key: String, expected: String = "a word", _ convert: (Node) -> T?) throws -> T? {
        guard let pair = pairs.first(where: { $0.name == key }) else { return nil }
        guard let value = convert(pair.value) else {
            let given = pair.value.scalar.map { " (it is '\($0.string)')" } ?? ""
            throw failure(key, "must be \(expected)\(given)")
        }
        return value
    }
}

extension Duration {
    /// Reads `250ms`, `60s`, `5m`, `1h`.
    package init?(written text: String) {
        let units: [(String, Int64)] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]
        guard let (unit, milliseconds) = units.first(where: { text.hasSuffix($0.0) }),
            let count = Int64(text.dropLast(unit.count)), (0...31_536_000).contains(count)
        else { return nil }
        self = .milliseconds(count * milliseconds)
    }
}

extension String {
    /// Levenshtein's edit distance.
    fileprivate func distance(to other: String) -> Int {
        let a = Array(self), b = Array(other)
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let substituted = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = Swift.min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}
