import FoundationEssentials
import SwiftletSystem

/// `models.yaml`: which file each model alias stands for.
///
/// ```yaml
/// chat:
///   file: swiftlet-demo-q8_0.gguf      # in the state directory's models folder, or an absolute path
/// embed:
///   file: all-minilm-l6-v2-q8_0.gguf
/// ```
package struct ModelCatalog: Sendable {
    package struct Entry: Hashable, Sendable {
        package let alias: String
        /// As written in the file.
        package let file: String
        /// Absolute.
        package let path: String
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
            try model.allow("file")
            guard let file = try model.text("file") else { throw model.failure("file", "is missing: name the model's GGUF file") }
            return Entry(alias: alias, file: file, path: file.hasPrefix("/") ? file : "\(state.models)/\(file)")
        }
    }

    /// The file that `alias` stands for.
    package func path(of alias: String) -> String? { entries.first { $0.alias == alias }?.path }

    /// Lets `alias` stand for `file` from now on, and writes `models.yaml` anew: aside first, then renamed.
    package mutating func set(_ alias: String, to file: String) throws {
        let entry = Entry(alias: alias, file: file, path: file.hasPrefix("/") ? file : "\(state.models)/\(file)")
        if let index = entries.firstIndex(where: { $0.alias == alias }) {
            entries[index] = entry
        } else {
            entries.append(entry)
        }
        let text = entries.map { "\($0.alias):\n  file: \"\($0.file)\"\n" }.joined()
        try Data(text.utf8).write(to: URL(filePath: state.modelsFile), options: .atomic)
    }
}
