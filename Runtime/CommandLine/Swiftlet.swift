import ArgumentParser

@main
struct Swiftlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swiftlet",
        abstract: "A serverless function runtime for language-model endpoints.",
        subcommands: [
            Serve.self, Status.self, Deploy.self, NewFunction.self, Functions.self, Models.self, Keys.self, Usage.self, PrintInvoice.self,
            LedgerCommand.self, NginxConfig.self, Tokenize.self, Detokenize.self, RenderTemplate.self, Score.self, Bench.self,
        ])
}
