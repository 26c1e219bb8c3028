import ArgumentParser
import Front
import Supervisor
import SwiftletSystem
import Wire

struct Functions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the functions of a system and what is wrong with those that cannot serve.")

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() throws {
        let models = try ModelCatalog(of: state.directory).entries.map(\.alias)
        let folders = FunctionFolder.scan(state.directory.functions, reserved: Gateway.reservedRoutes, models: Set(models))
        let report = Report(
            columns: ["name", "routes", "handler", "models", "problem"],
            rows: folders.map { folder in
                switch folder.manifest {
                case .success(let manifest):
                    let handler = switch manifest.handler {
                    case .program(let words): words.joined(separator: " ")
                    case .prompt(let template): template
                    }
                    return [
                        .string(manifest.name), .array(manifest.routes.map { .string($0.description) }), .string(handler),
                        .array(manifest.models.map(JSON.string)), .null,
                    ]
                case .failure(let error):
                    let name = folder.path.split(separator: "/").last.map(String.init) ?? folder.path
                    return [.string(name), .array([]), .null, .array([]), .string(error.description)]
                }
            })
        print(try report.text(as: format.format))
    }
}
