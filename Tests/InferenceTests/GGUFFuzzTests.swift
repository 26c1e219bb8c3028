import Foundation
import Inference
import TestSupport
import Testing

/// 10,000 headers from anywhere give an error or a file, and some of those an error or a tokenizer, soon and in bounded memory.
@Suite(.serialized) struct GGUFFuzzTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).gguf").path

    private static let seeds: [[UInt8]] = ["every-value.gguf", "quantized.gguf", "tiny-bert-q8_0.gguf", "tiny-llama-q4_0.gguf"].compactMap {
        FileManager.default.contents(atPath: fixture($0)).map(Array.init)
    }

    /// Numbers that lengths, counts and types get wrong with.
    private static let edges: [UInt64] = [
        0, 1, 2, 3, 7, 8, 12, 13, 31, 255, 256, 65_535, 1 << 20, 1 << 24, 1 << 31, 1 << 32, 1 << 40, 1 << 60, 1 << 62, UInt64(Int64.max), 1 << 63, .max,
    ]

    @Test func changedHeaders() throws {
        var random = SplitMix64(seed: 21)
        try opensWithinBounds { round in
            var bytes = Self.seeds[round % Self.seeds.count]
            for _ in 0...random.next() % 4 {
                // Mostly where the header is, not the tensors' data.
                let place = Int(random.next() % UInt64(min(bytes.count, random.next() % 4 == 0 ? 20_000 : 1600)))
                switch random.next() % 5 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: Self.put(Self.edges[Int(random.next() % UInt64(Self.edges.count))], at: place, in: &bytes)
                case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + Int(random.next() % 16)))
                case 3: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + Int(random.next() % 64))], at: place)
                default: bytes.removeLast(Int(random.next() % UInt64(bytes.count)))
                }
                if bytes.isEmpty { bytes = [0] }
            }
            return bytes
        }
    }

    /// Random bytes, and random values where a header has a length, a count or a type.
    @Test func randomHeaders() throws {
        var random = SplitMix64(seed: 22)
        func any<T>(_ values: [T]) -> T { values[Int(random.next() % UInt64(values.count))] }
        func number(_ likely: UInt64) -> UInt64 {
            switch random.next() % 8 {
            case 0: any(Self.edges)
            case 1: random.next()
            default: random.next() % (likely + 1)
            }
        }
        try opensWithinBounds { round in
            guard round % 4 != 0 else { return (0..<random.next() % 2000).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
            var bytes = Array("GGUF".utf8)
            func append(_ value: UInt64, _ count: Int) { withUnsafeBytes(of: value.littleEndian) { bytes += $0.prefix(count) } }
            func text() {
                let name = any(["general.alignment", "general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.tokens", "llama.block_count", "x"])
                append(random.next() % 8 == 0 ? number(64) : UInt64(name.utf8.count), 8)
                bytes += name.utf8
            }
            append(any([2, 3]), 4)
            append(number(4), 8)
            append(number(6), 8)
            for _ in 0..<random.next() % 16 {
                text()
                append(number(13), 4)
                switch random.next() % 4 {
                case 0: text()
                case 1:  // an array, perhaps of arrays
                    for _ in 0...random.next() % 40 {
                        append(9, 4)
                        append(number(3), 8)
                    }
                case 2: append(number(4), 4)
                default: append(number(1 << 32), 8)
                }
            }
            return bytes
        }
    }

    private func opensWithinBounds(_ header: (_ round: Int) -> [UInt8]) throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let bounds = Bounds()
        var opened = 0
        for round in 0..<5000 {
            try Data(header(round)).write(to: URL(fileURLWithPath: path))
            let start = Bounds.processorTime
            if let file = try? ModelFile(path: path, .none) {
                opened += 1
                if round % 32 < 4 { _ = try? file.makeTokenizer() }
            }
            #expect(Bounds.processorTime - start < 1, "round \(round)")
        }
        #expect((1..<5000).contains(opened))
        #expect(try bounds.growth() < 256 << 20)
    }

    private static func put(_ value: UInt64, at place: Int, in bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { value in
            for index in 0..<min(8, bytes.count - place) { bytes[place + index] = value[index] }
        }
    }
}
