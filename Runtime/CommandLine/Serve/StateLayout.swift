import FoundationEssentials
import Glibc
import SwiftletSystem

/// Makes a state directory ready to serve from.
enum StateLayout {
    /// Creates what is missing and leaves the rest as it is; sockets of a dead run are removed.
    static func prepare(_ state: StateDirectory) throws {
        let files = FileManager.default
        for folder in [state.path, state.functions, state.models, state.log, state.nginx] {
            do {
                try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            } catch {
                throw CommandError("The folder \(folder) cannot be made: \(error.reason). Choose a --state directory that you may write to.")
            }
        }
        chmod(state.path, 0o700)
    }

    /// Makes an empty folder for sockets. Call it only while holding the state directory's lock.
    static func clearSockets(_ state: StateDirectory) throws {
        try? FileManager.default.removeItem(atPath: state.run)
        try FileManager.default.createDirectory(
            atPath: state.run, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }
}
