import ArgumentParser
import FoundationEssentials
import Supervisor
import SwiftletSystem

struct NewFunction: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make a function folder to start from.",
        discussion: """
            A prompt is a template and no code. A python function is one file that runs as it is, with a FastCGI library beside it. \
            A swift function is a folder for the Functions/ directory of Swiftlet's sources, built with the package.
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable { case swift, python, prompt }

    @Argument(help: "The function's name: a-z, 0-9 and '-'.")
    var name: String

    @Option(help: "swift, python or prompt.")
    var kind: Kind = .prompt

    @Option(help: "Where to make the folder (default: the system's functions folder for a prompt or python, Functions/ here for swift).")
    var into: String?

    @OptionGroup var state: StateOption

    func run() throws {
        guard FunctionManifest.isName(name) else {
            throw ValidationError("'\(name)' is not a name: use 1 to 40 of a-z, 0-9 and '-', starting with a letter.")
        }
        let parent = into ?? (kind == .swift ? "Functions" : state.directory.functions)
        let folder = "\(parent)/\(kind == .swift ? name.prefix(1).uppercased() + name.dropFirst() : name)"
        let manager = FileManager.default
        guard !manager.fileExists(atPath: folder) else { throw CommandError("\(folder) is there already.") }
        let aside = "\(parent)/.\(name)-new"
        try? manager.removeItem(atPath: aside)
        try manager.createDirectory(atPath: aside, withIntermediateDirectories: true)
        for file in FunctionTemplate.files(for: kind, name: name) {
            let path = "\(aside)/\(file.name)"
            try file.text.write(toFile: path, atomically: false, encoding: .utf8)
            if file.isProgram { try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path) }
        }
        try manager.moveItem(atPath: aside, toPath: folder)
        print("Made \(folder).")
        switch kind {
        case .swift: print("Build with 'swift build -c release --manifest-cache none' and restart; then: POST /\(name)")
        case .python: print("It serves POST /\(name) while the system runs, and needs a FastCGI library there: python3 -m pip install --target '\(folder)' flipflop")
        case .prompt: print("It serves POST /\(name) with {\"text\": …} while the system runs.")
        }
    }
}
