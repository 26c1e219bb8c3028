import Glibc

/// A file that is being fetched: `path.part` until it is complete, and beside it the version (ETag) it is a part of.
/// One process at a time may hold it.
final class PartFile {
    private let path: String
    private var descriptor: Int32
    /// Bytes written so far.
    private(set) var size: Int64
    /// The strong ETag under which the bytes so far were served.
    private(set) var version: String?
    /// Nothing was written by this attempt.
    private(set) var isUntouched = true

    private var partPath: String { path + ".part" }
    private var versionPath: String { path + ".part.etag" }

    init(for path: String, keep: Bool) throws(HTTPError) {
        self.path = path
        descriptor = open(path + ".part", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw PartFile.error("cannot be created", path + ".part") }
        size = 0
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw HTTPError(.file, "\(path).part is being written by another download. Wait for it, or stop it.")
        }
        if !keep { try startOver() }
        size = Int64(lseek(descriptor, 0, SEEK_END))
        guard size >= 0 else { throw PartFile.error("cannot be read", partPath) }
        version = readVersion()
    }

    deinit { close() }

    /// Lets others have it.
    func close() {
        guard descriptor >= 0 else { return }
        _ = Glibc.close(descriptor)
        descriptor = -1
    }

    /// - Parameter startingOver: true where the response is the whole resource and not the rest of it.
    func write(_ bytes: [UInt8], startingOver: Bool, version: String?) throws(HTTPError) {
        if isUntouched {
            if startingOver { try startOver() }
            isUntouched = false
            try remember(version)
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw PartFile.error("cannot be written", partPath) }
            rest = rest.dropFirst(written)
            size += Int64(written)
        }
    }

    /// Makes it the file. Nobody sees a half: the bytes are on disk before the name is.
    func complete() throws(HTTPError) {
        guard fsync(descriptor) == 0 else { throw PartFile.error("cannot be written", partPath) }
        guard rename(partPath, path) == 0 else { throw PartFile.error("cannot be created", path) }
        unlink(versionPath)
    }

    /// Throws away what is there.
    func startOver() throws(HTTPError) {
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else { throw PartFile.error("cannot be written", partPath) }
        unlink(versionPath)
        size = 0
        version = nil
        isUntouched = true
    }

    /// Weak ETags do not promise equal bytes.
    private func remember(_ version: String?) throws(HTTPError) {
        guard size == 0, let version, version.hasPrefix("\"") else { return }
        let file = open(versionPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        defer { _ = Glibc.close(file) }
        guard file >= 0, Glibc.write(file, version, version.utf8.count) == version.utf8.count else {
            throw PartFile.error("cannot be written", versionPath)
        }
    }

    private func readVersion() -> String? {
        let file = open(versionPath, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { _ = Glibc.close(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(file, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }

    private static func error(_ problem: String, _ path: String) -> HTTPError {
        HTTPError(.file, "\(path) \(problem): \(String(cString: strerror(errno))).")
    }
}
