import ArgumentParser
import Inference

struct PackModel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack",
        abstract: "Write a model's weights as the kernels read them, beside the model.",
        discussion: """
            The file MODEL.gguf.pack is mapped by every process that runs the model, which then starts at once. Without it, the first \
            start makes it. A pack that fits the model is left as it is.
            """)

    @OptionGroup var model: ModelReference

    func run() throws {
        let path = try model.path()
        let engine = try Engine(path: path)
        defer { engine.shutdown() }
        switch engine.pack?.storage {
        case .file(let pack): print(pack)
        case .memory(let reason): throw CommandError("The weights of \(path) could not be packed. \(reason)")
        case nil: throw CommandError("No weight of \(path) has a packed layout: Q8_0, Q4_0, Q4_K, Q5_K and Q6_K have one.")
        }
    }
}
