import Crypto
import FoundationEssentials
import Glibc
import SwiftletSystem

/// Copies a folder with everything in it and takes a fingerprint of what it copies: names, contents, links, who may execute.
struct FolderCopy {
    private var hash = SHA256()
    private var buffer = [UInt8](repeating: 0, count: 1 << 20)

    /// Of everything that was copied.
    var fingerprint: String {
        hash.finalize().prefix(6).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }

    /// Copies the content of `source` into `target`, which exists. Links stay links, and what is neither file, folder nor link is left out.
    /// - Throws: ``FileError``.
    mutating func copy(_ source: String, to target: String) throws {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: source).sorted()
        } catch {
            throw FileError("read", source, code: ((error as? CocoaError)?.underlying as? POSIXError)?.code.rawValue ?? EIO)
        }
        for name in names {
            let (from, to) = ("\(source)/\(name)", "\(target)/\(name)")
            var status = stat()
            guard lstat(from, &status) == 0 else { throw FileError("read", from) }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                add("folder \(name)")
                guard mkdir(to, 0o755) == 0 else { throw FileError("create", to) }
                try copy(from, to: to)
                add("end")
            case S_IFLNK:
                let link = try FileManager.default.destinationOfSymbolicLink(atPath: from)
                add("link \(name) \(link)")
                guard symlink(link, to) == 0 else { throw FileError("create", to) }
            case S_IFREG:
                let isProgram = status.st_mode & 0o111 != 0
                add("file \(name) \(isProgram) \(status.st_size)")
                try copyFile(from, to: to, mode: isProgram ? 0o755 : 0o644)
            default: break
            }
        }
        let folder = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw FileError("open", target) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw FileError("write", target) }
    }

    private mutating func copyFile(_ source: String, to target: String, mode: mode_t) throws {
        let input = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard input >= 0 else { throw FileError("open", source) }
        defer { close(input) }
        let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard output >= 0 else { throw FileError("create", target) }
        defer { close(output) }
        while true {
            let count = read(input, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", source) }
            if count == 0 { break }
            hash.update(data: buffer[..<count])
            var rest = buffer[..<count]
            while !rest.isEmpty {
                let written = rest.withUnsafeBytes { write(output, $0.baseAddress, $0.count) }
                if written < 0 && errno == EINTR { continue }
                guard written > 0 else { throw FileError("write", target) }
                rest = rest.dropFirst(written)
            }
        }
        // The file's own rights, whatever this process's mask.
        guard fchmod(output, mode) == 0 else { throw FileError("write", target) }
        // What is taken must be whole after a loss of power, too: its history says that it was proven.
        guard fsync(output) == 0 else { throw FileError("write", target) }
    }

    private mutating func add(_ fact: String) { hash.update(data: Array("\(fact)\n".utf8)) }
}
