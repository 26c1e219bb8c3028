import ArgumentParser
import FoundationEssentials
import Glibc
import Supervisor
import SwiftletSystem
import Wire

struct Deploy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deploy a folder as a function of a running system, and say whether it serves.",
        discussion: """
            The folder is copied aside, started and probed there, and only when it has answered does it take the traffic and its place in \
            the functions folder. If it is refused, nothing has changed, the reason is printed and the exit code is 1.
            """)

    @Argument(help: "The function's folder.")
    var folder: String

    @Option(help: "The name of the folder in the system (default: the folder's own).")
    var name: String?

    @OptionGroup var state: StateOption

    func run() async throws {
        let source = StateDirectory(folder).path
        guard FileManager.default.fileExists(atPath: "\(source)/function.yaml") else {
            throw CommandError("\(folder) is not a function's folder: it has no function.yaml.")
        }
        let name = try pathSegment(name ?? source.split(separator: "/").last.map(String.init) ?? "")
        guard !name.hasPrefix(".") else { throw CommandError("A function's folder cannot begin with a dot.") }
        let control = ControlClient(state: state.directory)
        _ = try await control.send("GET", "/status")

        // In the functions folder, so that it can be renamed into place; the dot keeps it from being seen there.
        let aside = "\(state.directory.functions)/.\(name)-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: aside) }
        do {
            try FileManager.default.copyItem(atPath: source, toPath: aside)
        } catch {
            throw CommandError("\(folder) cannot be copied to \(state.directory.functions): \(error.reason)")
        }
        let answer: [UInt8]
        do {
            answer = try await control.send("POST", "/functions/\(name)/versions", ["folder": .string(aside)], within: .seconds(600))
        } catch let error as CommandError {
            throw CommandError(error.description.replacing(aside, with: folder))
        }
        print("\(name) \(try JSON(parsing: answer)["version"]?.string ?? "") serves.")
    }
}
