import FoundationEssentials
import Glibc
import Synchronization

/// A version 7 UUID (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then a counter and random bits,
/// so that ids sort by the time they were made.
package struct UUIDv7: Hashable, Sendable {
    package let bits: UInt128

    package init(bits: UInt128) { self.bits = bits }

    /// A new id, greater than every id this process has made before, even when the clock is set back.
    package init() {
        self = UUIDv7.generator.withLock { $0.next(milliseconds: Int64((Date.now.timeIntervalSince1970 * 1000).rounded())) }
    }

    private static let generator = Mutex(Generator())

    /// Unix milliseconds at which the id was made.
    package var milliseconds: Int64 { Int64(bits >> 80) }
}

extension UUIDv7 {
    /// Makes ids from a time and random bits. `rand_a` is a counter that starts anew each millisecond (RFC 9562, section 6.2, method 1).
    package struct Generator {
        private var time: UInt64 = 0
        private var counter: UInt64 = 0
        private var random = RandomWords()

        package init() {}

        package mutating func next(milliseconds: Int64) -> UUIDv7 {
            let now = UInt64(clamping: milliseconds) & 0xffff_ffff_ffff
            if now > time {
                time = now
                // The top bit stays free, so that at least 2,048 ids fit before the counter is full.
                counter = random.next() & 0x7ff
            } else {
                // The same millisecond, or a clock that went back: count on from the last id.
                counter += 1
                if counter > 0xfff {
                    counter = 0
                    time += 1
                }
            }
            let high = time << 16 | 0x7000 | counter
            let low = random.next() >> 2 | 1 << 63
            return UUIDv7(bits: UInt128(high) << 64 | UInt128(low))
        }
    }
}

/// Random numbers from the kernel, many at a time: each time costs a system call.
private struct RandomWords {
    private var words: [UInt64] = []

    mutating func next() -> UInt64 {
        if words.isEmpty {
            words = [UInt64](unsafeUninitializedCapacity: 32) { words, count in
                // No more than 256 bytes at a time (getentropy(3)).
                if let start = words.baseAddress, getentropy(start, 32 * MemoryLayout<UInt64>.stride) == 0 { count = 32 }
            }
        }
        return words.popLast() ?? UInt64.random(in: .min ... .max)
    }
}

extension UUIDv7: CustomStringConvertible, LosslessStringConvertible {
    /// 36 characters: lower-case hexadecimal in groups of 8-4-4-4-12.
    package var description: String {
        let digits: StaticString = "0123456789abcdef"
        let halves = (UInt64(truncatingIfNeeded: bits >> 64), UInt64(truncatingIfNeeded: bits))
        return String(unsafeUninitializedCapacity: 36) { text in
            var length = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    text[length] = UInt8(ascii: "-")
                    length += 1
                }
                let half = index < 16 ? halves.0 : halves.1
                text[length] = digits.utf8Start[Int(half >> UInt64(60 - 4 * (index & 15)) & 0xf)]
                length += 1
            }
            return length
        }
    }

    /// `nil` for anything but a version 7 UUID in its usual form.
    package init?(_ text: String) {
        var bits: UInt128 = 0
        guard text.utf8.count == 36 else { return nil }
        for (index, character) in text.utf8.enumerated() {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard character == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Character(Unicode.Scalar(character)).hexDigitValue else { return nil }
            bits = bits << 4 | UInt128(digit)
        }
        guard bits >> 76 & 0xf == 7, bits >> 62 & 0x3 == 2 else { return nil }
        self.bits = bits
    }
}

extension UUIDv7: Comparable {
    package static func < (a: UUIDv7, b: UUIDv7) -> Bool { a.bits < b.bits }
}

extension UUIDv7: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = UUIDv7(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a version 7 UUID")
        }
        self = id
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
