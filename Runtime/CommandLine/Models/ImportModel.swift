import ArgumentParser
import FoundationEssentials
import Inference
import SwiftletSystem

struct ImportModel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a GGUF file from a Hugging Face folder.",
        discussion: """
            The folder has config.json, model.safetensors (or several with an index) and the tokenizer's files. \
            Architectures: \(ModelImport.architectures.joined(separator: ", ")). Prints the new file's path.
            """)

    @Argument(help: "The Hugging Face folder.")
    var folder: String

    @Option(help: "How to store the weight matrices: f32, f16, q8_0 or q4_0.")
    var type: ModelImport.WeightType = .q8_0

    @Option(help: "The model's name (default: the folder's name and the type).")
    var name: String?

    @Option(help: "The file to write (default: NAME.gguf in the system's models folder).")
    var out: String?

    @OptionGroup var alias: AliasOption
    @OptionGroup var state: StateOption

    func run() throws {
        let name = name ?? defaultName
        let model = try ModelImport(folder: folder, type: type, name: name)
        let path = try out.map(absolute) ?? ModelFolder.place(for: name, in: state.directory)
        let bar = ProgressBar("Importing \(name)")
        try model.write(to: path) { bar.show($0) }
        bar.finish()
        try alias.set(to: path, in: state.directory)
        print(path)
    }

    private var defaultName: String {
        let folder = absolute(folder).split(separator: "/").last ?? "model"
        return "\(folder.lowercased())-\(type.rawValue)"
    }

    private func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
    }
}

extension ModelImport.WeightType: ExpressibleByArgument {}
