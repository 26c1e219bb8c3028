import FoundationEssentials
import Glibc
import Logging
import SwiftletSystem

/// Groups that hold processes to their memory (cgroup v2, https://docs.kernel.org/admin-guide/cgroup-v2.html): all that a worker and
/// its children use, files' pages among it. Where none can be made, a worker's private data is limited instead.
///
/// The subtree must be ours, as systemd's `Delegate=yes` makes it: the group that we are in may be written, and nobody else is in it.
/// Since a group with members cannot give controllers to groups in it, we move to a leaf of our own first.
package struct MemoryGroups: Sendable {
    /// The group that `serve` was started in.
    private let folder: String

    /// - Parameters:
    ///   - root: where cgroup v2 is mounted.
    ///   - membership: the text of `/proc/self/cgroup`.
    /// - Returns: `nil` where groups cannot be made; `logger` is told why.
    package init?(root: String = "/sys/fs/cgroup", membership: String? = nil, logger: Logger) {
        let text = membership ?? FileManager.default.contents(atPath: "/proc/self/cgroup").map { String(decoding: $0, as: UTF8.self) }
        // The line of version 2 is `0::/path`.
        guard let line = text?.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else { return nil }
        let folder = root + line.dropFirst(3).trimmingSuffix("/")
        guard Self.words(in: "\(folder)/cgroup.controllers").contains("memory") else {
            logger.notice("no memory groups here (cgroup v2): a worker's memory is limited by its private data alone")
            return nil
        }
        let leaf = "\(folder)/\(Self.ownName)"
        do {
            try Self.makeFolder(leaf)
            try Self.write("0", to: "\(leaf)/cgroup.procs")
            try Self.write("+memory", to: "\(folder)/cgroup.subtree_control")
        } catch {
            // Somebody else is in the group, or it is not ours: back to where we were.
            try? Self.write("0", to: "\(folder)/cgroup.procs")
            rmdir(leaf)
            logger.notice("memory groups cannot be made, so that a worker's memory is limited by its private data alone: \(error)")
            return nil
        }
        self.folder = folder
        // What a run that was killed has left; a group with processes stays.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasPrefix(Self.prefix) {
            rmdir("\(folder)/\(name)")
        }
    }

    private static let ownName = "swiftlet-serve"
    private static let prefix = "swiftlet-worker-"

    /// One worker's group.
    package struct Group: Hashable, Sendable {
        /// Whoever writes 0 into this file is in the group.
        package var members: String { "\(folder)/cgroup.procs" }
        fileprivate let folder: String

        /// Kills what is left in it, and removes it.
        package func remove() async {
            try? MemoryGroups.write("1", to: "\(folder)/cgroup.kill")
            // It is empty when the last of its processes has been reaped.
            for _ in 0..<50 where rmdir(folder) != 0 && errno == EBUSY { try? await Task.sleep(for: .milliseconds(20)) }
        }
    }

    /// Makes the group of the worker `name`, which no other has.
    /// - Parameter memory: bytes; a group that needs more is ended as a whole.
    /// - Throws: ``FileError``.
    package func make(_ name: String, memory: Int) throws(FileError) -> Group {
        let group = Group(folder: "\(folder)/\(Self.prefix)\(name)")
        try Self.makeFolder(group.folder)
        do {
            try Self.write("\(memory)", to: "\(group.folder)/memory.max")
            try Self.write("1", to: "\(group.folder)/memory.oom.group")
        } catch {
            rmdir(group.folder)
            throw error
        }
        // Where there is no swap, there is no such file.
        try? Self.write("0", to: "\(group.folder)/memory.swap.max")
        return group
    }

    private static func words(in file: String) -> [Substring] {
        let text = FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split { $0 == " " || $0 == "\n" }
    }

    private static func makeFolder(_ path: String) throws(FileError) {
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw FileError("create", path) }
    }

    fileprivate static func write(_ text: String, to file: String) throws(FileError) {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("open", file) }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count else { throw FileError("write", file) }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ character: Character) -> Substring {
        var text = self
        while text.last == character { text.removeLast() }
        return text
    }
}
