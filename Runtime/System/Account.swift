import Glibc
import SystemPackage

/// A user of the machine.
package struct Account: Hashable, Sendable {
    package let name: String
    package let user: UInt32

    /// The first of `names` that there is.
    package init?(firstOf names: String...) {
        for name in names {
            if let entry = getpwnam(name) {
                self.name = name
                user = entry.pointee.pw_uid
                return
            }
        }
        return nil
    }

    /// Gives the unix socket at `path` to the account.
    package func own(_ path: String) throws {
        guard chown(path, user, .max) == 0, chmod(path, 0o600) == 0 else {
            throw SystemError("cannot give \(path) to the user \(name)", .init(rawValue: errno))
        }
    }
}
