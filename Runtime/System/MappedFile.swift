import Glibc

/// A file mapped read-only, so that every process that reads it shares one copy in the page cache.
///
/// The mapping lives as long as this object; whoever hands out pointers into ``bytes`` keeps a reference to it.
/// A file that is mapped must be replaced by renaming, never truncated: a page past its end raises SIGBUS.
package final class MappedFile: @unchecked Sendable {  // `bytes` is set once and the pages are only read
    package let path: String
    package let bytes: UnsafeRawBufferPointer
    /// When the file was last written, in nanoseconds since 1970.
    package let modified: Int64
    package let inode: UInt64

    /// - Parameter hugePages: for a large file that is read as a whole, ask the system to read and map it in huge pages.
    /// - Throws: ``FileError`` that names the file, also when it is not a regular file.
    package init(path: String, hugePages: Bool = false) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError("read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileError("read", path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
        }
        self.path = path
        inode = UInt64(status.st_ino)
        modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        let size = Int(status.st_size)
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let start = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED else {
            throw FileError("map", path)
        }
        // Before the first page is touched, which decides how those around it are read. Not every file system has them.
        if hugePages { madvise(start, size, Int32(MADV_HUGEPAGE)) }
        bytes = UnsafeRawBufferPointer(start: start, count: size)
    }

    /// Reads the file and maps its pages, so that their first use does not wait. Blocks while it does: piece by piece with
    /// pauses, because the process's other threads get no memory while pages are mapped.
    package func prefault() {
        guard let start = bytes.baseAddress.map(UnsafeMutableRawPointer.init(mutating:)) else { return }
        let populateRead: Int32 = 22  // MADV_POPULATE_READ; kernels before Linux 5.14 refuse it, and nothing is lost
        for offset in stride(from: 0, to: bytes.count, by: Self.prefaultPiece) {
            usleep(1000)
            guard madvise(start + offset, min(Self.prefaultPiece, bytes.count - offset), populateRead) == 0 else { return }
        }
    }

    private static let prefaultPiece = 4 << 20

    deinit {
        if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
    }
}
