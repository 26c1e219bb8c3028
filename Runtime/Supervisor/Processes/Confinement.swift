/// What a process may reach; `swiftlet-launch` holds it to that.
package struct Confinement: Hashable, Sendable {
    /// Its user, and the group of the same number; `nil` to stay who we are.
    var user: UInt32?
    /// Whether to stay root by name, without root's rights.
    var isPowerless = false
    /// More groups, for the sockets that it may connect to.
    var groups: [UInt32] = []
    /// What it may read and execute, with all below; `nil` for no limit.
    var readable: [String]?
    /// What it may change, with all below.
    var writable: [String] = []
    /// Whether it may use TCP.
    var network = true

    /// As `swiftlet-launch` takes it.
    var arguments: [String] {
        var arguments = user.map { ["--user", "\($0)"] } ?? (isPowerless ? ["--powerless"] : [])
        arguments += groups.flatMap { ["--group", "\($0)"] }
        if let readable {
            arguments += readable.flatMap { ["--read", $0] } + writable.flatMap { ["--write", $0] }
            if network { arguments.append("--network") }
        }
        return arguments
    }
}
