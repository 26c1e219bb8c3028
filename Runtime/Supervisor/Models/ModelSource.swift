import SwiftletSystem

/// What answers as a model: the files that its host has, or the one that would be started now, and what the host is told beside them.
package struct ModelSource: Hashable, Sendable {
    package struct File: Hashable, Sendable {
        package let path: String
        /// Of the state in which the host opened it (``FileStatus/identity``); empty where there is no such file.
        package let identity: String

        init(_ path: String) {
            self.path = path
            identity = FileStatus(path: path)?.identity ?? ""
        }
    }

    /// The model's, its adapters' and the host's program.
    package let files: [File]
    package let options: [String]
}
