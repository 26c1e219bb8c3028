import ArgumentParser

@main
struct Swiftlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swiftlet",
        abstract: "A serverless function runtime for language-model endpoints.",
        subcommands: [
            Serve.self, NewFunction.self, Functions.self, Models.self, Keys.self, Usage.self, NginxConfig.self, Tokenize.self, Detokenize.self, Score.self,
            Bench.self,
        ])
}
