import Foundation
import Inference
import TestSupport
import Testing

@Suite struct GGUFFileTests {
    @Test func everyTypeOfValue() throws {
        let metadata = try GGUFFile(path: fixture("every-value.gguf")).metadata
        #expect(metadata.integer("value.uint8") == 200)
        #expect(metadata.integer("value.int8") == -100)
        #expect(metadata.integer("value.uint16") == 60_000)
        #expect(metadata.integer("value.int16") == -30_000)
        #expect(metadata.integer("value.uint32") == 4_000_000_000)
        #expect(metadata.integer("value.int32") == -2_000_000_000)
        #expect(metadata.integer("value.int64") == -(1 << 62))
        #expect(metadata.integer("value.uint64") == nil, "it does not fit")
        #expect(metadata.float("value.float32") == Double(Float(0.1)))
        #expect(metadata.float("value.float64") == 0.1)
        #expect(metadata.bool("value.bool") == true)
        #expect(metadata.string("value.string") == "naïve 😀")
        #expect(metadata.strings("array.strings") == ["a", "", "é"])
        #expect(metadata.integers("array.integers") == [1, -2, 3])
        #expect(metadata.floats("array.floats") == [0.5, -1.5])
        #expect(metadata.strings("array.integers") == nil)
        #expect(metadata.integers("array.strings") == nil)
    }

    @Test func tensorsAreWhereTheHeaderSays() throws {
        let file = try GGUFFile(path: fixture("every-value.gguf"))
        for dimensions in 1...4 {
            let tensor = try file.tensor("t\(dimensions)")
            // The fixture counts shapes in Python's order: 2 rows of 3 and so on.
            #expect(tensor.shape == Array((2..<2 + dimensions).reversed()))
            #expect(tensor.type == .f32)
            let count = tensor.shape.reduce(1, *)
            #expect((0..<count).map { tensor.bytes.load(fromByteOffset: $0 * 4, as: Float.self) } == (0..<count).map { Float($0) })
        }
        #expect(file.tensorIfPresent("t5") == nil)
        #expect { try file.tensor("t5") } throws: { "\($0)".contains("lacks the tensor t5") }
    }

    @Test func aTensorKeepsItsFileMapped() throws {
        var tensor: GGUFTensor? = nil
        do { tensor = try GGUFFile(path: fixture("every-value.gguf")).tensor("t1") }
        #expect(try #require(tensor).bytes.load(fromByteOffset: 4, as: Float.self) == 1)
    }

    @Test func requiredValuesAreNamed() throws {
        let metadata = try GGUFFile(path: fixture("every-value.gguf")).metadata
        #expect { try metadata.requiredString("no.key") } throws: { "\($0)".hasSuffix("every-value.gguf lacks the metadata key no.key.") }
        #expect { try metadata.requiredString("value.uint8") } throws: { "\($0)".hasSuffix("value.uint8 is not a string.") }
        #expect { try metadata.requiredInteger("value.uint8", in: 1...100) } throws: { "\($0)".hasSuffix("value.uint8 is 200, but must be in 1…100.") }
        #expect(try metadata.requiredInteger("value.uint8", in: 1...200) == 200)
    }

    @Test func filesThatAreNoGGUF() throws {
        #expect { try GGUFFile(path: "/no/such.gguf") } throws: {
            "\($0)" == "Cannot open /no/such.gguf: No such file or directory." && ($0 as? InferenceError)?.code == .system
        }
        #expect { try GGUFFile(path: "/") } throws: { "\($0)".contains("Is a directory") }
        try expectFailure(Data(), "does not begin with \"GGUF\"")
        try expectFailure(Data("PK\u{3}\u{4} and so on".utf8), "does not begin with \"GGUF\"")
        try expectFailure(GGUFBytes(version: 1).data, "GGUF version 1")
        try expectFailure(GGUFBytes(version: UInt32(3).byteSwapped).data, "big-endian")
    }

    @Test func headersThatLie() throws {
        try expectFailure(GGUFBytes(tensors: 1 << 60).data, "the number of tensors is 1152921504606846976, more than the file can hold")
        try expectFailure(GGUFBytes(pairs: .max).data, "more than the file can hold")
        try expectFailure(GGUFBytes(pairs: 1).string("k").u32(4).data, "it ends inside the value of \"k\"")
        try expectFailure(GGUFBytes(pairs: 1).u64(1 << 62).u64(0).data, "the length of a metadata key")
        try expectFailure(GGUFBytes(pairs: 1).string("k").u32(99).u64(0).data, "\"k\" has the unknown type 99")
        try expectFailure(GGUFBytes(pairs: 1).string("k").u32(9).u32(9).u64(1).data, "\"k\" is nested")
        try expectFailure(GGUFBytes(pairs: 1).string("k").u32(9).u32(4).u64(1 << 61).data, "more than the file can hold")
        try expectFailure(GGUFBytes(pairs: 2).string("k").u32(7).u8(1).string("k").u32(7).u8(0).data, "\"k\" is there twice")
        try expectFailure(GGUFBytes(pairs: 1).string("general.alignment").u32(4).u32(24).data, "not a power of two")
        try expectFailure(GGUFBytes(pairs: 1).string("general.alignment").u32(4).u32(0).data, "general.alignment is 0")
    }

    @Test func tensorsThatLie() throws {
        func tensor(_ shape: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) -> GGUFBytes {
            shape.reduce(GGUFBytes(tensors: 1).string("t").u32(UInt32(shape.count))) { $0.u64($1) }.u32(type).u64(offset)
        }
        #expect(try open(tensor([4]).padded(16).data).tensors.count == 1)
        try expectFailure(tensor([4]).padded(15).data, "\"t\" reaches past its end")
        try expectFailure(tensor([4], offset: 32).padded(47).data, "reaches past its end")
        try expectFailure(tensor([4], offset: 16).padded(64).data, "not aligned to 32 bytes")
        try expectFailure(tensor([4], offset: .max - 31).padded(64).data, "reaches past its end")
        try expectFailure(tensor([0]).padded(64).data, "a dimension of 0")
        try expectFailure(tensor([1, 1, 1, 1, 1]).padded(64).data, "5 dimensions")
        try expectFailure(tensor([1 << 32, 1 << 32]).padded(64).data, "more elements than can be counted")
        try expectFailure(tensor([1 << 60, 2]).padded(64).data, "reaches past its end")
        try expectFailure(tensor([33], type: 8).padded(64).data, "rows of 33 elements, which Q8_0 can't store")
        try expectFailure(tensor([32], type: 4242).padded(64).data, "the unknown type 4242")
        let twice = GGUFBytes(tensors: 2).string("t").u32(1).u64(1).u32(0).u64(0).string("t").u32(1).u64(1).u32(0).u64(0)
        try expectFailure(twice.padded(64).data, "\"t\" is there twice")
    }

    /// Whatever is done to a header, more than 10,000 times, reading it ends in an error or a file, soon, and everything in that
    /// file can be read.
    @Test(arguments: ["every-value.gguf", "demo-vocabulary.gguf", "quantized.gguf"])
    func damage(name: String) throws {
        let original = try Data(contentsOf: URL(fileURLWithPath: fixture(name)))
        var random = SplitMix64(seed: 7)
        // Most flips go where they hurt: the counts and the first values.
        let head = min(original.count, 1600)
        for round in 0..<3400 {
            let started = Bounds.processorTime
            defer { #expect(Bounds.processorTime - started < 1, "round \(round)") }
            var damaged = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<(round % 4 == 0 ? original.count : head), using: &random)
                damaged[place] = round % 2 == 0 ? UInt8.random(in: 0...255, using: &random) : [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random)!
            }
            if round % 5 == 0 { damaged.removeLast(Int.random(in: 0...damaged.count, using: &random)) }
            guard let file = try? open(damaged) else { continue }
            for tensor in file.tensors { _ = (tensor.bytes.first, tensor.bytes.last) }
            for key in file.metadata.keys { _ = (file.metadata.strings(key), file.metadata.integers(key), file.metadata.floats(key)) }
            guard let tokenizer = try? makeTokenizer(from: file.metadata) else { continue }
            _ = tokenizer.encode("Once upon a time <|im_end|>", special: true).flatMap(tokenizer.bytes)
        }
    }
}

/// The bytes of a GGUF file, made by hand.
struct GGUFBytes {
    private(set) var data = Data("GGUF".utf8)

    init(version: UInt32 = 3, tensors: UInt64 = 0, pairs: UInt64 = 0) {
        self = u32(version).u64(tensors).u64(pairs)
    }

    func u8(_ value: UInt8) -> GGUFBytes { adding([value]) }
    func u32(_ value: UInt32) -> GGUFBytes { adding(withUnsafeBytes(of: value.littleEndian, Array.init)) }
    func u64(_ value: UInt64) -> GGUFBytes { adding(withUnsafeBytes(of: value.littleEndian, Array.init)) }
    func string(_ text: String) -> GGUFBytes { u64(UInt64(text.utf8.count)).adding(Array(text.utf8)) }
    /// Aligned to 32 bytes, and so many zeros after that.
    func padded(_ count: Int) -> GGUFBytes { adding([UInt8](repeating: 0, count: (32 - data.count % 32) % 32 + count)) }

    private func adding(_ bytes: [UInt8]) -> GGUFBytes {
        var copy = self
        copy.data.append(contentsOf: bytes)
        return copy
    }
}

private func open(_ data: Data) throws -> GGUFFile {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).gguf")
    try data.write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try GGUFFile(path: url.path)
}

private func expectFailure(_ data: Data, _ message: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    #expect(sourceLocation: sourceLocation) { try open(data) } throws: { error in
        "\(error)".contains(message) && "\(error)".contains(".gguf")
    }
}
