import FoundationEssentials
import Glibc
import Supervisor
import SwiftletSystem

/// A function that comes with Swiftlet, installed into each system's functions folder when it starts.
struct BuiltInFunction {
    let name: String
    /// Where each of its files comes from, by the name it gets.
    private let files: [String: String]

    /// Marks a folder as ours to renew. A user who removes the file keeps the folder as it is.
    private static let marker = ".builtin"

    /// Everything beside the executables, or in the source tree that they were built in.
    static func all(beside programs: Programs) -> [BuiltInFunction] {
        let candidates = ["\(programs.folder)/functions", "\(programs.folder)/../../../Functions"]
        let manager = FileManager.default
        guard let source = candidates.first(where: { manager.fileExists(atPath: "\($0)/") }) else { return [] }
        let folders = ((try? manager.contentsOfDirectory(atPath: source)) ?? []).sorted()
        return folders.compactMap { folder in
            let contents = (try? manager.contentsOfDirectory(atPath: "\(source)/\(folder)")) ?? []
            guard contents.contains("function.yaml") else { return nil }
            let name = folder.lowercased()
            var files = Dictionary(
                contents.filter { !$0.hasSuffix(".swift") }.map { ($0, "\(source)/\(folder)/\($0)") }) { $1 }
            let program = "\(programs.folder)/\(name)"
            if files[name] == nil, access(program, X_OK) == 0 { files[name] = program }
            return BuiltInFunction(name: name, files: files)
        }
    }

    /// Puts the function into `folder` unless the same is there already: prepared aside, then renamed, so that nobody sees half of it.
    func install(in folder: String) throws {
        let manager = FileManager.default
        let target = "\(folder)/\(name)"
        if manager.fileExists(atPath: target) {
            guard manager.fileExists(atPath: "\(target)/\(Self.marker)"), !isCurrent(at: target) else { return }
        }
        let aside = "\(folder)/.\(name)-new"
        try? manager.removeItem(atPath: aside)
        try manager.createDirectory(atPath: aside, withIntermediateDirectories: false)
        for (file, source) in files { try manager.copyItem(atPath: source, toPath: "\(aside)/\(file)") }
        _ = manager.createFile(atPath: "\(aside)/\(Self.marker)", contents: nil)
        try? manager.removeItem(atPath: target)
        try manager.moveItem(atPath: aside, toPath: target)
    }

    private func isCurrent(at target: String) -> Bool {
        files.allSatisfy { file, source in
            guard let new = Self.status(source), let old = Self.status("\(target)/\(file)") else { return false }
            return new.size == old.size && new.written <= old.written
        }
    }

    private static func status(_ path: String) -> (size: Int, written: Int)? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return (Int(status.st_size), status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec)
    }
}
