import Glibc

/// What `stat` says of a file.
package struct FileStatus: Hashable, Sendable {
    package let isRegularFile: Bool
    package let size: Int
    /// When it was last written, in nanoseconds since 1970.
    package let modified: Int
    /// Another one for a file that was written, replaced or moved since: the kernel's own stamps, which no program can set back.
    package let identity: String

    /// `nil` when there is no such file.
    package init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        isRegularFile = status.st_mode & S_IFMT == S_IFREG
        size = Int(status.st_size)
        modified = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
        identity = "\(status.st_dev) \(status.st_ino) \(size) \(status.st_ctim.tv_sec).\(status.st_ctim.tv_nsec)"
    }

    /// The first folder on the way to `path` that other users cannot pass.
    package static func closedFolder(above path: String) -> String? {
        var folder = ""
        for name in path.split(separator: "/").dropLast() {
            folder += "/\(name)"
            var status = stat()
            if stat(folder, &status) == 0, status.st_mode & 0o001 == 0 { return folder }
        }
        return nil
    }
}
