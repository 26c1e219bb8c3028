import CSwiftletSystem
import Glibc

/// A file that is written under a temporary name beside its own and renamed when it is complete: nobody sees a half,
/// and who has the old file open or mapped keeps it.
package final class AtomicFile {
    private let path: String
    private let temporaryPath: String
    private let descriptor: Int32
    private var isCommitted = false

    /// - Throws: ``FileError`` if the folder does not exist or can't be written, or something other than a file is there.
    package init(path: String) throws(FileError) {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw FileError("replace", path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EEXIST)
        }
        self.path = path
        // Two writers of one file must not share a temporary one.
        temporaryPath = "\(path).\(UInt64.random(in: .min ... .max)).part"
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError("create", path) }
    }

    deinit {
        close(descriptor)
        if !isCommitted { unlink(temporaryPath) }
    }

    package func write(_ bytes: [UInt8]) throws(FileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw FileError("write", path) }
            rest = rest.dropFirst(written)
        }
    }

    /// Lets the system forget what it keeps in memory of the file, so that whoever maps it first decides in which pages it is read.
    package func dropCache() throws(FileError) {
        guard fsync(descriptor) == 0 else { throw FileError("write", path) }
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    }

    /// Makes it the file; the bytes are on the disk before the name is.
    package func commit() throws(FileError) {
        guard fsync(descriptor) == 0 else { throw FileError("write", path) }
        try AtomicFile.rename(temporaryPath, to: path)
        isCommitted = true
    }

    /// Gives a file that is complete its name, in place of what had it.
    package static func rename(_ old: String, to new: String) throws(FileError) {
        guard Glibc.rename(old, new) == 0 else { throw FileError("create", new) }
    }
}

/// Gives the file or folder `made` the name `target` in one step; what had that name before is at `made` afterwards.
/// - Throws: ``FileError``.
package func exchange(_ made: String, with target: String) throws(FileError) {
    let result = swl_exchange(made, target)
    guard result == 0 else { throw FileError("replace", target, code: -result) }
}
