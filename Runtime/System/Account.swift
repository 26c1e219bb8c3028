import Glibc
import SystemPackage

/// A user of the machine.
package struct Account: Hashable, Sendable {
    package let name: String
    /// The user's own group.
    package let group: UInt32

    /// The first of `names` that there is.
    package init?(firstOf names: String...) {
        for name in names {
            if let entry = getpwnam(name) {
                self.name = name
                group = entry.pointee.pw_gid
                return
            }
        }
        return nil
    }

    /// Lets the account's group use the unix socket at `path`, and nobody else but its owner.
    package func open(_ path: String) throws {
        guard chown(path, .max, group) == 0, chmod(path, 0o660) == 0 else {
            throw SystemError("cannot open \(path) to the user \(name)", .init(rawValue: errno))
        }
    }
}
