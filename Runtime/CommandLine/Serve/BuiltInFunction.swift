import FoundationEssentials
import Glibc
import Supervisor
import SwiftletSystem

/// A function that comes with Swiftlet, installed into each system's functions folder when it starts.
struct BuiltInFunction {
    let name: String
    /// Where each of its files comes from, by the name it gets.
    private let files: [String: String]

    private static let manifest = "function.yaml"
    /// Marks a folder as ours to renew, and holds its function.yaml as it was installed: one that says something else by now is the
    /// user's and stays. A user who removes the marker keeps the whole folder as it is.
    private static let marker = ".builtin"

    /// Everything beside the executables, or in the source tree that they were built in.
    static func all(beside programs: Programs) -> [BuiltInFunction] {
        let candidates = ["\(programs.folder)/functions", "\(programs.folder)/../../../Functions"]
        let manager = FileManager.default
        guard let source = candidates.first(where: { manager.fileExists(atPath: "\($0)/") }) else { return [] }
        let folders = ((try? manager.contentsOfDirectory(atPath: source)) ?? []).sorted()
        return folders.compactMap { folder in
            let contents = (try? manager.contentsOfDirectory(atPath: "\(source)/\(folder)")) ?? []
            guard contents.contains(manifest) else { return nil }
            let name = folder.lowercased()
            // Folders hold Swift, which is in the program.
            let paths = contents.filter { !$0.hasSuffix(".swift") }.map { ($0, "\(source)/\(folder)/\($0)") }
            var files = Dictionary(paths.filter { FileStatus(path: $0.1)?.isRegularFile == true }) { $1 }
            let program = "\(programs.folder)/\(name)"
            if files[name] == nil, access(program, X_OK) == 0 { files[name] = program }
            return BuiltInFunction(name: name, files: files)
        }
    }

    /// Puts the function into `folder` unless the same is there already: prepared aside, then renamed, so that nobody sees half of it.
    /// A function.yaml that was changed there is kept.
    /// - Throws: ``CommandError`` that says what could not be written and why.
    func install(in folder: String) throws {
        let manager = FileManager.default
        let target = "\(folder)/\(name)"
        var changed: Data?
        if manager.fileExists(atPath: target) {
            guard let installed = manager.contents(atPath: "\(target)/\(Self.marker)") else { return }
            let present = manager.contents(atPath: "\(target)/\(Self.manifest)")
            // Older markers were empty: then nobody knows.
            if present != installed, !installed.isEmpty { changed = present }
            guard !isCurrent(at: target, except: changed == nil ? nil : Self.manifest) else { return }
        }
        let aside = "\(folder)/.\(name)-new"
        try? manager.removeItem(atPath: aside)
        do {
            try manager.createDirectory(atPath: aside, withIntermediateDirectories: false)
            for (file, source) in files { try Self.copy(source, to: "\(aside)/\(file)") }
            try Self.copy("\(aside)/\(Self.manifest)", to: "\(aside)/\(Self.marker)")
            try changed?.write(to: URL(filePath: "\(aside)/\(Self.manifest)"))
            try? manager.removeItem(atPath: target)
            try manager.moveItem(atPath: aside, toPath: target)
        } catch {
            try? manager.removeItem(atPath: aside)
            throw CommandError("The function '\(name)' cannot be installed in \(folder): \(error.reason). Check the disk's space and your rights there.")
        }
    }

    /// Content and whether it is a program; owner and times are the copier's.
    private static func copy(_ source: String, to target: String) throws {
        try Data(contentsOf: URL(filePath: source)).write(to: URL(filePath: target))
        guard chmod(target, access(source, X_OK) == 0 ? 0o755 : 0o644) == 0 else { throw CocoaError(.fileWriteNoPermission) }
    }

    private func isCurrent(at target: String, except changed: String?) -> Bool {
        files.allSatisfy { file, source in
            if file == changed { return true }
            guard let new = FileStatus(path: source), let old = FileStatus(path: "\(target)/\(file)") else { return false }
            return new.size == old.size && new.modified <= old.modified
        }
    }
}
