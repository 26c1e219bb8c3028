import ArgumentParser

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Import, download, list, pack, quantize and preload models.",
        subcommands: [ImportModel.self, PullModel.self, ListModels.self, PackModel.self, QuantizeModel.self, PreloadModel.self])
}
