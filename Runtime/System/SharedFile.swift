import Glibc

/// A file that is mapped for writing and shared: what one process writes, others see at once, and it survives its writer's death.
/// It is locked for as long as this object, or the process that holds it, lives.
package final class SharedFile: @unchecked Sendable {  // the mapping never moves; who shares its bytes orders accesses
    package let path: String
    package let bytes: UnsafeMutableRawBufferPointer
    private let descriptor: Int32

    /// Makes a file of zeros with room on the disk for all of it, since a write to a mapped page has no way to fail.
    /// It appears under its name when it is locked.
    /// - Throws: ``FileError`` that names the file.
    package static func create(path: String, size: Int) throws(FileError) -> SharedFile {
        let draft = "\(path).new"
        let descriptor = open(draft, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("create", path) }
        let reserved = posix_fallocate(descriptor, 0, off_t(size))
        guard reserved == 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0, rename(draft, path) == 0 else {
            let error = FileError("create", path, code: reserved == 0 ? errno : reserved)
            unlink(draft)
            close(descriptor)
            throw error
        }
        return try SharedFile(descriptor, path: path)
    }

    /// Opens a file whose owner has died.
    /// - Returns: `nil` when its owner lives, or the file is gone.
    /// - Throws: ``FileError`` that names the file.
    package static func orphan(path: String) throws(FileError) -> SharedFile? {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw FileError("open", path)
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        return try SharedFile(descriptor, path: path)
    }

    private init(_ descriptor: Int32, path: String) throws(FileError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = FileError("read", path)
            close(descriptor)
            throw error
        }
        let size = Int(status.st_size)
        self.path = path
        self.descriptor = descriptor
        guard size > 0 else {
            bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let start = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), start != MAP_FAILED else {
            bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            throw FileError("map", path)
        }
        bytes = UnsafeMutableRawBufferPointer(start: start, count: size)
    }

    deinit {
        if let start = bytes.baseAddress { munmap(start, bytes.count) }
        close(descriptor)
    }

    /// Takes the file's name away.
    package func remove() { unlink(path) }
}
