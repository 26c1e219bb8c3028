import FoundationEssentials
import SwiftletSystem

/// `models.yaml`: which file each model alias stands for.
///
/// ```yaml
/// chat:
///   file: swiftlet-demo-q8_0.gguf      # in the state directory's models folder, or an absolute path
/// embed:
///   file: all-minilm-l6-v2-q8_0.gguf
///   keep_warm: 15m                     # how long its host stays without work, or `always`; 15m is the default
///   memory: 600MiB                     # what it counts in the memory for models; the default is the file's size
///   adapters: {support: support.gguf}  # LoRA adapters: chosen by the model's name, `chat:support`, or in function.yaml
///   stall_timeout: 60s                 # a host that has work and gets nothing done for so long is replaced; 60s is the default
///   threads: 4                         # that compute; the default is one per core
///   kv_cache: q8_0                     # how attention's keys and values are kept: f16, the default, q8_0 or f32
///   kv_cache_size: 2GiB                # memory for them; the default is what 16 sequences need, or an eighth of the machine's
///   draft_max: 15                      # tokens of an answer that are guessed at once and verified, 0 to 15; answers are the same with 0
/// ```
package struct ModelCatalog: Sendable {
    package struct Entry: Hashable, Sendable {
        package let alias: String
        /// As written in the file.
        package let file: String
        /// Absolute.
        package let path: String
        /// How long its host stays without work; `nil` for always.
        package var keepWarm: Duration? = .seconds(900)
        /// Bytes that it counts in the memory for models; `nil` for the file's size.
        package var memory: Int?
        package var stallTimeout = Duration.seconds(60)
        /// The names of its adapters, sorted.
        package var adapters: [String] = []
        /// Where its adapters are, in the same order.
        package var adapterPaths: [String] = []
        /// What its host is told beside the file.
        package var hostOptions: [String] = []
        /// The other keys, as written in the file.
        fileprivate var settings: [String: String] = [:]
    }

    /// In the order of the file.
    package private(set) var entries: [Entry]
    private let state: StateDirectory

    /// - Returns: an empty catalog when there is no `models.yaml`.
    /// - Throws: ``ManifestError`` that names the line.
    package init(of state: StateDirectory) throws {
        self.state = state
        guard let data = FileManager.default.contents(atPath: state.modelsFile), !data.allSatisfy({ $0 == 10 || $0 == 32 }) else {
            entries = []
            return
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ManifestError(file: state.modelsFile, message: "is not UTF-8 text")
        }
        let reader = try YAMLReader(text, file: state.modelsFile)
        entries = try reader.keys.map { alias in
            guard FunctionManifest.isName(alias) else {
                throw reader.failure(alias, "is not an alias: use 1 to 40 of a-z, 0-9 and '-', starting with a letter")
            }
            guard let model = try reader.mapping(alias) else { throw reader.failure(alias, "needs a 'file'") }
            try model.allow(["file", "adapters"] + ModelCatalog.settings)
            guard let file = try model.text("file") else { throw model.failure("file", "is missing: name the model's GGUF file") }
            var entry = Entry(alias: alias, file: file, path: Self.path(of: file, in: state))
            if try model.text("keep_warm") == "always" {
                entry.keepWarm = nil
            } else if let time = try model.duration("keep_warm") {
                entry.keepWarm = time
            }
            entry.memory = try model.size("memory", upTo: 1 << 50)
            entry.stallTimeout = try model.positiveDuration("stall_timeout") ?? entry.stallTimeout
            entry.hostOptions = try ModelCatalog.hostOptions(model)
            for key in ModelCatalog.settings { entry.settings[key] = try model.text(key) }
            if let adapters = try model.mapping("adapters") {
                let paths = try Self.adapters(adapters, in: state)
                entry.adapters = paths.keys.sorted()
                entry.adapterPaths = entry.adapters.map { paths[$0] ?? "" }
                for name in entry.adapters { entry.hostOptions += ["--adapter", "\(name)=\(paths[name] ?? "")"] }
                let files = try adapters.keys.map { "\($0): \"\(try adapters.text($0) ?? "")\"" }
                entry.settings["adapters"] = "{\(files.joined(separator: ", "))}"
            }
            return entry
        }
    }

    private static func path(of file: String, in state: StateDirectory) -> String { file.hasPrefix("/") ? file : "\(state.models)/\(file)" }

    private static func adapters(_ reader: YAMLReader, in state: StateDirectory) throws -> [String: String] {
        var adapters: [String: String] = [:]
        for name in reader.keys {
            guard FunctionManifest.isName(name) else {
                throw reader.failure(name, "is not an adapter's name: use 1 to 40 of a-z, 0-9 and '-', starting with a letter")
            }
            guard let file = try reader.text(name), !file.isEmpty else { throw reader.failure(name, "needs the adapter's GGUF file") }
            adapters[name] = path(of: file, in: state)
        }
        return adapters
    }

    /// The keys of an entry beside its file.
    private static let settings = ["keep_warm", "memory", "stall_timeout", "threads", "kv_cache", "kv_cache_size", "draft_max"]

    private static func hostOptions(_ model: YAMLReader) throws -> [String] {
        var options: [String] = []
        if let threads = try model.integer("threads", in: 1...256) { options += ["--threads", "\(threads)"] }
        if let type = try model.word("kv_cache", among: ["f16", "q8_0", "f32"]) { options += ["--kv-cache", type] }
        if let size = try model.size("kv_cache_size", upTo: 1 << 50) { options += ["--kv-cache-size", "\(size)"] }
        if let count = try model.integer("draft_max", in: 0...15) { options += ["--draft-max", "\(count)"] }
        return options
    }

    /// The file that `alias` stands for.
    package func path(of alias: String) -> String? { entries.first { $0.alias == alias }?.path }

    /// Lets `alias` stand for `file` from now on, and writes `models.yaml` anew: aside first, then renamed.
    package mutating func set(_ alias: String, to file: String) throws {
        var entry = Entry(alias: alias, file: file, path: Self.path(of: file, in: state))
        if let index = entries.firstIndex(where: { $0.alias == alias }) {
            (entry.settings, entry.adapters) = (entries[index].settings, entries[index].adapters)
            entries[index] = entry
        } else {
            entries.append(entry)
        }
        let text = entries.map { entry in
            let settings = entry.settings.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value)\n" }.joined()
            return "\(entry.alias):\n  file: \"\(entry.file)\"\n\(settings)"
        }.joined()
        try Data(text.utf8).write(to: URL(filePath: state.modelsFile), options: .atomic)
    }
}
