import Glibc

/// A file mapped read-only, so that every process that reads it shares one copy in the page cache.
///
/// The mapping lives as long as this object; whoever hands out pointers into ``bytes`` keeps a reference to it.
/// A file that is mapped must be replaced by renaming, never truncated: a page past its end raises SIGBUS.
package final class MappedFile: @unchecked Sendable {  // `bytes` is set once and the pages are only read
    package let path: String
    package let bytes: UnsafeRawBufferPointer

    /// - Throws: ``FileError`` that names the file, also when it is not a regular file.
    package init(path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError("read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileError("read", path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
        }
        self.path = path
        let size = Int(status.st_size)
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let start = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED else {
            throw FileError("map", path)
        }
        bytes = UnsafeRawBufferPointer(start: start, count: size)
    }

    deinit {
        if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
    }
}
