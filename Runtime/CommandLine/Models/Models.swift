import ArgumentParser

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Import, download, list and pack models.",
        subcommands: [ImportModel.self, PullModel.self, ListModels.self, PackModel.self])
}
