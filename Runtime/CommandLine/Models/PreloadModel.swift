import ArgumentParser
import Supervisor

struct PreloadModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preload", abstract: "Start a model's host in a running system before anybody calls it, and wait until it is warm.",
        discussion: "It stays at least for the model's 'keep_warm' in models.yaml.")

    @Argument(help: "The model's alias in models.yaml.")
    var alias: String

    @OptionGroup var state: StateOption

    func run() async throws {
        guard FunctionManifest.isName(alias) else { throw ValidationError("'\(alias)' is not a model's alias.") }
        let begun = ContinuousClock.now
        _ = try await ControlClient(state: state.directory).send("POST", "/models/\(alias)/preload", within: .seconds(3600))
        print("\(alias) is warm, after \(Int(begun.duration(to: .now) / .milliseconds(1))) ms.")
    }
}
