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
