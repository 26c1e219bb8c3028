/// Makes text of tokens' bytes: holds back bytes of a character that is not whole yet and what may become a stop string, and
/// ends before the first stop string.
package struct TextAssembler {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []
    /// How many of the bytes that came are in the texts that were given.
    package private(set) var shownCount = 0

    package init(stops: [String]) {
        self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) }
    }

    /// - Returns: the text that may be shown now, and whether a stop string has come. Nothing may be appended after that.
    package mutating func append(_ bytes: [UInt8]) -> (text: String, stopped: Bool) {
        held += bytes
        if let stop = held.indices.first(where: { start in stops.contains { held[start...].starts(with: $0) } }) {
            held.removeSubrange(stop...)
            return (finish(), true)
        }
        let safe = held.count - max(possibleStop, unfinishedCharacter)
        shownCount += safe
        defer { held.removeFirst(safe) }
        return (String(decoding: held[..<safe], as: UTF8.self), false)
    }

    /// What was held back. Bytes that are not UTF-8 become U+FFFD.
    package mutating func finish() -> String {
        shownCount += held.count
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// The length of the longest end of `held` that a stop string begins with.
    private var possibleStop: Int {
        let longest = stops.map(\.count).max() ?? 0
        return (0..<min(longest, held.count + 1)).last { length in
            length == 0 || stops.contains { $0.count > length && $0.starts(with: held.suffix(length)) }
        } ?? 0
    }

    /// The length of the end of `held` that is the start of a character.
    private var unfinishedCharacter: Int {
        for (length, byte) in zip(1...3, held.reversed()) where !(0x80...0xbf).contains(byte) {
            let whole = switch byte {
            case 0xc2...0xdf: 2
            case 0xe0...0xef: 3
            case 0xf0...0xf4: 4
            default: 1
            }
            return length < whole ? length : 0
        }
        return 0
    }
}
