import Foundation
import Inference
import Testing

/// The file beside the model: made once, used while it fits, and replaced where it does not.
@Suite struct WeightPackTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")
    private var model: String { folder.appendingPathComponent("model.gguf").path }
    private var pack: String { WeightPack.path(for: model) }

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: fixture("tiny-llama-mixed.gguf"), toPath: model)
    }

    @Test func isMadeOnceAndMapped() async throws {
        defer { remove() }
        let inMemory = try await score(.memory)
        #expect(!FileManager.default.fileExists(atPath: pack))
        #expect(try await score(.file) == inMemory)
        let made = try identity()
        #expect(try await score(.file) == inMemory)
        #expect(try identity() == made, "the second start makes no other")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["model.gguf", "model.gguf.pack"])
    }

    @Test func matricesBeginOnPages() throws {
        defer { remove() }
        try engine(.file).shutdown()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: pack))
        #expect(bytes.count % 4096 == 0 && bytes.prefix(8) == Data("SWLPACK\0".utf8))
    }

    /// Each is told from a whole pack of this model, and a new one is made.
    @Test func whatDoesNotFitIsReplaced() async throws {
        defer { remove() }
        let expected = try await score(.memory)
        try engine(.file).shutdown()
        let whole = try Data(contentsOf: URL(fileURLWithPath: pack))
        var random = SplitMix64(seed: 3)
        var damages: [Data] = [Data(), whole.prefix(100), whole.prefix(4096), whole.dropLast(4096), whole + Data(count: 4096), Data(count: whole.count)]
        for _ in 0..<60 {
            var damaged = whole
            let place = Int(random.next() % 1200)
            damaged[place] ^= UInt8(1 << (random.next() % 8))
            damages.append(damaged)
        }
        for damaged in damages {
            try damaged.write(to: URL(fileURLWithPath: pack))
            #expect(try await score(.file) == expected)
            #expect(try Data(contentsOf: URL(fileURLWithPath: pack)) == whole)
        }
    }

    @Test func followsTheModel() async throws {
        defer { remove() }
        try engine(.file).shutdown()
        let before = try identity()
        // Another time and the same contents: what was made still fits.
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: model)
        try engine(.file).shutdown()
        #expect(try identity() == before)
        // The same size and other weights.
        var weights = try Data(contentsOf: URL(fileURLWithPath: model))
        for place in weights.count - 2000..<weights.count - 1800 { weights[place] ^= 5 }
        try weights.write(to: URL(fileURLWithPath: model))
        let expected = try await score(.memory)
        #expect(try await score(.file) == expected)
        #expect(try identity() != before)
    }

    /// A start after a touch compares contents, once: then the pack says when the model was changed.
    @Test func aTouchIsNoted() throws {
        defer { remove() }
        try engine(.file).shutdown()
        let made = try Data(contentsOf: URL(fileURLWithPath: pack))
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: model)
        try engine(.file).shutdown()
        let noted = try Data(contentsOf: URL(fileURLWithPath: pack))
        #expect(noted.count == made.count && noted != made)
        #expect(noted[40..<48] == withUnsafeBytes(of: Int64(1e18).littleEndian) { Data($0) }, "nanoseconds")
        try engine(.file).shutdown()
        #expect(try Data(contentsOf: URL(fileURLWithPath: pack)) == noted)
    }

    /// Everything that a start needs of the model's head is in the pack: it reads no more of the file than the tensors that are
    /// only looked up in.
    @Test func aStartReadsNoHead() async throws {
        defer { remove() }
        let first = try engine(.file)
        let expected = try await first.score(Array(5..<40))
        let tokens = first.tokenizer.encode("Once upon a time, 3 foxes…", special: false)
        let template = first.file.metadata.string("tokenizer.chat_template")
        first.shutdown()
        try overwriteInPlace(model, from: 4, to: 4096)
        let second = try engine(.file)
        defer { second.shutdown() }
        #expect(try await second.score(Array(5..<40)) == expected)
        #expect(second.tokenizer.encode("Once upon a time, 3 foxes…", special: false) == tokens)
        #expect(second.file.metadata.string("tokenizer.chat_template") == template)
        #expect(throws: InferenceError.self) { try GGUFFile(path: model) }
    }

    /// Text of all kinds becomes the same tokens from a pack's tables, also when nothing is left of the file's vocabulary.
    @Test(arguments: ["demo-vocabulary.gguf", "bert-vocabulary.gguf"])
    func tokenizersAreTheSame(vocabulary: String) throws {
        defer { remove() }
        let path = folder.appendingPathComponent(vocabulary).path
        try FileManager.default.copyItem(atPath: fixture(vocabulary), toPath: path)
        let file = try ModelFile(path: path)
        let plain = try file.makeTokenizer()
        try file.writePack()
        try overwriteInPlace(path, from: 4, to: file.file.size)
        let packed = try ModelFile(path: path).makeTokenizer()
        #expect(packed.vocabularyCount == plain.vocabularyCount && packed.beginningOfSequence == plain.beginningOfSequence)
        for token in 0..<Token(plain.vocabularyCount) {
            #expect(packed.bytes(of: token) == plain.bytes(of: token) && packed.isEndOfGeneration(token) == plain.isEndOfGeneration(token))
        }
        for text in TokenizerGoldenTests.goldens.map(\.text) {
            for special in [false, true] { #expect(packed.encode(text, special: special) == plain.encode(text, special: special)) }
        }
    }

    /// Tables are not checked as a whole, as little as weights are: wrong answers are the worst that damage may bring.
    @Test(arguments: ["demo-vocabulary.gguf", "bert-vocabulary.gguf"])
    func damagedTablesDoNoHarm(vocabulary: String) throws {
        defer { remove() }
        let path = folder.appendingPathComponent(vocabulary).path
        try FileManager.default.copyItem(atPath: fixture(vocabulary), toPath: path)
        let file = try ModelFile(path: path)
        let plain = try file.makeTokenizer()
        try file.writePack()
        let pack = URL(fileURLWithPath: WeightPack.path(for: path))
        let whole = try Data(contentsOf: pack)
        var random = SplitMix64(seed: 9)
        let texts = TokenizerGoldenTests.goldens.map(\.text).prefix(20).map { $0 + "<|im_end|>[SEP]" }
        var wrong = 0
        for _ in 0..<20 {
            var damaged = whole
            for _ in 0..<200 { damaged[4096 * 2 + Int(random.next() % UInt64(whole.count - 4096 * 2))] = UInt8(truncatingIfNeeded: random.next()) }
            try damaged.write(to: pack)
            let tokenizer = try ModelFile(path: path).makeTokenizer()
            for text in texts where tokenizer.encode(text, special: true) != plain.encode(text, special: true) { wrong += 1 }
            for token in -1...Token(plain.vocabularyCount) { _ = tokenizer.bytes(of: token) }
        }
        #expect(wrong > 0, "the damage was read")
    }

    @Test func withoutAPlaceItIsInMemory() async throws {
        defer { remove() }
        let expected = try await score(.memory)
        // What can't be replaced by a file, even by root.
        try FileManager.default.createDirectory(atPath: pack, withIntermediateDirectories: false)
        let engine = try engine(.file)
        defer { engine.shutdown() }
        guard case .memory(let reason) = try #require(engine.pack).storage else {
            Issue.record("a pack in a folder's place")
            return
        }
        #expect(reason.contains("Is a directory") && reason.contains(pack))
        #expect(try await engine.score(Array(5..<40)) == expected)
    }

    // MARK: Help

    private func engine(_ packing: Engine.Configuration.Packing) throws -> Engine {
        try Engine(path: model, configuration: .init(threads: 2, packing: packing))
    }

    private func score(_ packing: Engine.Configuration.Packing) async throws -> [Float] {
        let engine = try engine(packing)
        defer { engine.shutdown() }
        return try await engine.score(Array(5..<40))
    }

    private func identity() throws -> NSNumber? {
        try FileManager.default.attributesOfItem(atPath: pack)[.systemFileNumber] as? NSNumber
    }

    private func remove() { try? FileManager.default.removeItem(at: folder) }
}

/// Leaves inode, size and time as they are.
func overwriteInPlace(_ path: String, from start: Int, to end: Int) throws {
    var status = stat()
    #expect(stat(path, &status) == 0)
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.seek(toOffset: UInt64(start))
    try handle.write(contentsOf: Data(repeating: 0xa5, count: end - start))
    try handle.close()
    #expect(utimensat(AT_FDCWD, path, [status.st_atim, status.st_mtim], 0) == 0)
}
