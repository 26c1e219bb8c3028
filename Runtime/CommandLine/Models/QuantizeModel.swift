import ArgumentParser
import FoundationEssentials
import Inference

struct QuantizeModel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Make of a GGUF file one with smaller weights.",
        discussion: """
            Give it the largest file there is, F16, BF16 or F32: what is rounded twice is worse. q4_k_m and q5_k_m give the weights \
            that matter most more bits. Prints the new file's path.
            """)

    @OptionGroup var model: ModelReference

    @Argument(help: "The file to write.", completion: .file())
    var out: String

    @Option(help: "q8_0, q4_0, q4_k_m, q5_k_m or q6_k.")
    var type: Quantization.Kind

    @Option(help: "Threads that work at once (default: one for each processor).")
    var threads: Int?

    @Flag(help: "Replace the file if it is there.")
    var force = false

    func validate() throws {
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads is 1 to 256.") }
    }

    func run() throws {
        let path = try model.path()
        if FileManager.default.fileExists(atPath: out) {
            guard force else { throw CommandError("There is a file \(out) already; --force replaces it.") }
        }
        let quantization = try Quantization(GGUFFile(path: path), to: type)
        let bar = ProgressBar("Quantizing to \(type.rawValue)")
        defer { bar.finish() }
        var configuration = Engine.Configuration()
        if let threads { configuration.threads = threads }
        try quantization.write(to: out, configuration) { bar.show($0) }
        print(out)
    }
}

extension Quantization.Kind: ExpressibleByArgument {}
