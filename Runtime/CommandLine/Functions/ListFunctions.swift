import ArgumentParser
import FoundationEssentials
import Supervisor
import SwiftletSystem
import Wire

struct Functions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List functions, go back to an earlier version, split traffic between versions.",
        subcommands: [ListFunctions.self, RollBack.self, SplitTraffic.self], defaultSubcommand: ListFunctions.self)
}

struct ListFunctions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the functions of a system, their versions, and what is wrong with those that are not taken.")

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        let functions: [SystemStatus.FunctionStatus]
        do {
            functions = try await SystemStatus.read(from: state.directory).functions
        } catch is NotRunning {
            functions = try inFolder()
        }
        let report = Report(
            columns: ["name", "routes", "handler", "models", "versions", "workers", "problem"],
            rows: functions.map { function in
                let versions = function.versions.map { version in
                    version.traffic > 0 && version.traffic < 100 ? "\(version.version)=\(version.traffic)%"
                        : version.state == .serving ? version.version : "(\(version.version))"
                }
                let workers = function.versions.reduce(0) { $0 + $1.workers.count }
                return [
                    .string(function.name), .array(function.routes.map(JSON.string)), function.handler.map(JSON.string) ?? .null,
                    .array(function.models.map(JSON.string)), .array(versions.map(JSON.string)), .integer(Int64(workers)),
                    function.problem.map(JSON.string) ?? .null,
                ]
            })
        print(try report.text(as: format.format))
    }

    /// What lies in the functions folder of a system that does not run.
    private func inFolder() throws -> [SystemStatus.FunctionStatus] {
        let models = Set(try ModelCatalog(of: state.directory).entries.map(\.alias))
        return FunctionFolder.list(state.directory.functions).map { folder in
            var status = SystemStatus.FunctionStatus(name: folder.name)
            do {
                let manifest = try folder.manifest(models: models)
                status.name = manifest.name
                status.routes = manifest.routes.map(\.description)
                status.handler = manifest.handler.description
                status.models = manifest.models
            } catch {
                status.problem = "\(error)"
            }
            return status
        }
    }
}

extension SystemStatus {
    /// What the system on `state` is doing.
    static func read(from state: StateDirectory) async throws -> SystemStatus {
        try JSON.decode(SystemStatus.self, from: await ControlClient(state: state).send("GET", "/status", within: .seconds(10)))
    }
}
