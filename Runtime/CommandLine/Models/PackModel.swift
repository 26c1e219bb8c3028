import ArgumentParser
import Inference
import SwiftletSystem

struct PackModel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack",
        abstract: "Write a model's weights as the kernels read them, beside the model.",
        discussion: """
            The file MODEL.gguf.pack is mapped by every process that runs the model, which then starts at once. Without it, the first \
            start makes it. A pack that fits the model is left as it is. Types of weights that the kernels do not \
            compute with are converted, and what that loses is told on standard error.
            """)

    @OptionGroup var model: ModelReference

    func run() throws {
        let path = try model.path()
        for conversion in Conversion.all(in: try GGUFFile(path: path)) { Terminal.writeError("\(conversion)\n") }
        let engine = try Engine(path: path)
        defer { engine.shutdown() }
        switch engine.pack?.storage {
        case .file(let pack): print(pack)
        case .memory(let reason): throw CommandError("The weights of \(path) could not be packed. \(reason)")
        case nil: throw CommandError("No weight of \(path) has a packed layout: F32, F16 and BF16 have none.")
        }
    }
}
