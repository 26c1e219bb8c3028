import Glibc

/// What `stat` says of a file.
package struct FileStatus: Hashable, Sendable {
    package let isRegularFile: Bool
    package let size: Int
    /// When it was last written, in nanoseconds since 1970.
    package let modified: Int

    /// `nil` when there is no such file.
    package init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        isRegularFile = status.st_mode & S_IFMT == S_IFREG
        size = Int(status.st_size)
        modified = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
    }
}
