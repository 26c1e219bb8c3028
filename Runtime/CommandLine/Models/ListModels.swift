import ArgumentParser
import Inference
import Supervisor
import SwiftletSystem
import Wire

struct ListModels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the models of a system, and what is wrong with files that cannot be read.",
        discussion: "Size is in bytes, context in tokens.")

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() throws {
        let directory = state.directory
        let catalog = try ModelCatalog(of: directory)
        let inside = ModelFolder.names(in: directory).map { (name: $0, path: "\(directory.models)/\($0).gguf") }
        let elsewhere = catalog.entries.map(\.path).filter { path in !inside.contains { $0.path == path } }
        let rows = (inside + Array(Set(elsewhere)).sorted().map { (name: $0, path: $0) }).map { name, path in
            let aliases = catalog.entries.filter { $0.path == path }.map { JSON.string($0.alias) }
            return row(name, path, aliases)
        }
        let columns = ["name", "architecture", "type", "size", "context", "parameters", "alias", "problem"]
        print(try Report(columns: columns, rows: rows).text(as: format.format))
    }

    private func row(_ name: String, _ path: String, _ aliases: [JSON]) -> [JSON] {
        do {
            let file = try GGUFFile(path: path)
            let architecture = file.metadata.string("general.architecture")
            let context = architecture.flatMap { file.metadata.integer("\($0).context_length") }
            return [
                .string(name), architecture.map(JSON.string) ?? .null, file.mainType.map { .string($0.name) } ?? .null, .integer(Int64(file.size)),
                context.map { .integer(Int64($0)) } ?? .null, .integer(Int64(file.parameterCount)), .array(aliases), .null,
            ]
        } catch {
            return [.string(name), .null, .null, .null, .null, .null, .array(aliases), .string("\(error)")]
        }
    }
}
