import FoundationEssentials
import SwiftletSystem

/// Where the programs are that belong to `swiftlet`: beside its own executable.
package struct Programs: Sendable {
    package let folder: String
    package var launcher: String { "\(folder)/swiftlet-launch" }
    package var host: String { "\(folder)/swiftlet-host" }
    package var promptHandler: String { "\(folder)/swiftlet-prompt" }

    /// - Throws: ``ManifestError`` when a program is missing, which means that the build is incomplete.
    package init() throws {
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        folder = executable.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
        for program in [launcher, host, promptHandler] where !FileManager.default.isExecutableFile(atPath: program) {
            throw ManifestError(file: program, message: "is missing; build the whole package (swift build -c release)")
        }
    }
}
