import Foundation
import Supervisor
import SwiftletSystem
import Testing

@Suite struct ModelCatalogTests {
    /// Calls `body` with a state directory whose models.yaml this is.
    private func withState<T>(_ yaml: String, _ body: (StateDirectory) throws -> T) throws -> T {
        let folder = FileManager.default.temporaryDirectory.appending(path: "swiftlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let state = StateDirectory(folder.path)
        try Data(yaml.utf8).write(to: URL(filePath: state.modelsFile))
        return try body(state)
    }

    private static let full = """
        chat:
          file: a.gguf
          keep_warm: always
          memory: 600MiB
          stall_timeout: 90s
          threads: 4
          kv_cache: q8_0
          kv_cache_size: 2GiB
          draft_max: 4
        embed:
          file: /models/b.gguf
        """

    @Test func allKeys() throws {
        let entries = try withState(Self.full) { try ModelCatalog(of: $0) }.entries
        #expect(entries.map(\.alias) == ["chat", "embed"] && entries.map(\.file) == ["a.gguf", "/models/b.gguf"])
        #expect(entries[0].keepWarm == nil && entries[0].memory == 600 << 20 && entries[0].stallTimeout == .seconds(90))
        #expect(entries[0].hostOptions == ["--threads", "4", "--kv-cache", "q8_0", "--kv-cache-size", "\(2 << 30)", "--draft-max", "4"])
        #expect(entries[1].keepWarm == .seconds(900) && entries[1].memory == nil && entries[1].hostOptions == [])
    }

    /// `swiftlet models pull --alias` changes the file and nothing else.
    @Test func aNewFileKeepsTheSettings() throws {
        try withState(Self.full) { state in
            var catalog = try ModelCatalog(of: state)
            let before = catalog.entries[0]
            try catalog.set("chat", to: "c.gguf")
            let after = try ModelCatalog(of: state).entries[0]
            #expect(after.file == "c.gguf" && after.hostOptions == before.hostOptions)
            #expect(after.keepWarm == nil && after.memory == before.memory && after.stallTimeout == before.stallTimeout)
        }
    }

    @Test(arguments: [
        ("threads: 0", "'threads' must be a whole number from 1 to 256 (it is '0')"), ("threads: all", "'threads' must be a whole number"),
        ("kv_cache: q4_0", "'kv_cache' must be one of f16, q8_0, f32 (it is 'q4_0')"), ("kv_cache: [f16]", "'kv_cache' must be one of"),
        ("kv_cache_size: much", "'kv_cache_size' must be a size"), ("kv_cach: f16", "did you mean 'kv_cache'?"),
        ("draft_max: 16", "'draft_max' must be a whole number from 0 to 15 (it is '16')"),
        ("stall_timeout: 0s", "'stall_timeout' must be more than 0s"),
    ])
    func mistakesAreNamedWithTheirLine(line: String, message: String) throws {
        try withState("chat:\n  file: a.gguf\n  \(line)\n") { state in
            let error = #expect(throws: ManifestError.self) { try ModelCatalog(of: state) }
            #expect(error?.line == 3 && error?.message.contains(message) == true, "\(error?.description ?? "")")
        }
    }
}
