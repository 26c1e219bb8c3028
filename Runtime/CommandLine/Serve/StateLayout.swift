import FoundationEssentials
import Glibc
import SwiftletSystem

/// Makes a state directory ready to serve from.
enum StateLayout {
    /// Creates what is missing and leaves the rest as it is; sockets of a dead run are removed.
    static func prepare(_ state: StateDirectory) throws {
        let files = FileManager.default
        for folder in [state.path, state.functions, "\(state.path)/versions", state.models, state.log, state.nginx] {
            do {
                try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            } catch {
                throw CommandError("The folder \(folder) cannot be made: \(error.reason). Choose a --state directory that you may write to.")
            }
        }
        // Where functions have users of their own, these must pass to what is theirs; nobody sees what there is.
        for folder in [state.path, state.nginx, "\(state.path)/versions"] { chmod(folder, 0o711) }
        for folder in [state.functions, state.models, state.log] { chmod(folder, 0o700) }
        // SQLite gives its other files the mode of the first.
        close(open(state.ledger, O_CREAT | O_CLOEXEC, 0o600))
        for file in [state.ledger, "\(state.ledger)-wal", "\(state.ledger)-shm", state.tokenKey] { chmod(file, 0o600) }
    }

    /// Makes empty folders for sockets and temporary files. Call it only while holding the state directory's lock.
    static func clearSockets(_ state: StateDirectory) throws {
        let files = FileManager.default
        let scratch = "\(state.path)/scratch"
        for folder in [state.run, scratch] { try? files.removeItem(atPath: folder) }
        for folder in [state.run, scratch, "\(state.path)/data"] {
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            chmod(folder, 0o711)
        }
    }
}
