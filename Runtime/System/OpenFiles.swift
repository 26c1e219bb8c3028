import Glibc

/// How many files, connections among them, this process may have open.
package enum OpenFiles {
    /// More than any configuration of ours needs; some systems allow a billion, and programs that walk over all of them.
    private static let enough: rlim_t = 65_536

    /// Raises the limit as far as is allowed and useful.
    /// - Returns: the limit.
    @discardableResult
    package static func raiseLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        let wanted = max(limit.rlim_cur, min(limit.rlim_max, enough))
        if wanted > limit.rlim_cur {
            limit.rlim_cur = wanted
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return Int(wanted)
    }
}
