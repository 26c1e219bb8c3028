import ArgumentParser

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Import, download and list models.",
        subcommands: [ImportModel.self, PullModel.self, ListModels.self])
}
