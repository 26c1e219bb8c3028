import ArgumentParser
import FoundationEssentials
import Supervisor
import SwiftletSystem

/// `MODEL`, shared by the commands that read one: an alias, a model's name, or a path.
struct ModelReference: ParsableArguments {
    @Argument(help: "An alias or a model's name as 'swiftlet models list' shows it, or the path of a GGUF file.")
    var model: String

    @OptionGroup var state: StateOption

    /// - Throws: an error that names what there is.
    func path() throws -> String { try ModelReference.path(of: model, in: state.directory) }

    /// - Throws: as ``path()``.
    static func path(of model: String, in directory: StateDirectory) throws -> String {
        let isPath = model.contains("/") || model.hasSuffix(".gguf")
        if isPath, FileManager.default.fileExists(atPath: model) { return model }
        let catalog = try ModelCatalog(of: directory)
        if let path = catalog.path(of: model) { return path }
        let file = "\(directory.models)/\(model.hasSuffix(".gguf") ? model : model + ".gguf")"
        if !model.contains("/"), FileManager.default.fileExists(atPath: file) { return file }
        let known = catalog.entries.map(\.alias) + ModelFolder.names(in: directory)
        let hint = known.isEmpty ? "'swiftlet models import' and 'swiftlet models pull' bring some" : "there are \(known.joined(separator: ", "))"
        throw CommandError("There is no model '\(model)' in \(directory.path); \(hint).")
    }
}

/// The GGUF files of a system.
enum ModelFolder {
    /// File names without `.gguf`, sorted.
    static func names(in directory: StateDirectory) -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: directory.models)) ?? []
        return files.filter { $0.hasSuffix(".gguf") && !$0.hasPrefix(".") }.map { String($0.dropLast(5)) }.sorted()
    }

    /// Where a new model of this name goes; the folder is made if it is not there.
    /// - Throws: an error if `name` can't be a file's name.
    static func place(for name: String, in directory: StateDirectory) throws -> String {
        guard !name.isEmpty, !name.hasPrefix("."), !name.contains(where: { $0 == "/" || $0 == "\0" }) else {
            throw CommandError("'\(name)' can't be a model's name; give another with --name.")
        }
        try FileManager.default.createDirectory(atPath: directory.models, withIntermediateDirectories: true)
        return "\(directory.models)/\(name).gguf"
    }
}

/// `--alias ALIAS`, shared by the commands that bring models.
struct AliasOption: ParsableArguments {
    @Option(help: "Also let functions call the model by this alias: an entry in models.yaml.")
    var alias: String?

    func validate() throws {
        guard let alias, !FunctionManifest.isName(alias) else { return }
        throw ValidationError("'\(alias)' is not an alias: use 1 to 40 of a-z, 0-9 and '-', starting with a letter.")
    }

    /// Lets the alias, if one was given, stand for the file at `path`.
    func set(to path: String, in directory: StateDirectory) throws {
        guard let alias else { return }
        var catalog = try ModelCatalog(of: directory)
        let folder = directory.models + "/"
        try catalog.set(alias, to: path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : path)
    }
}
