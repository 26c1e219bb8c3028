import FoundationEssentials
import Glibc
import SwiftletSystem
import Wire

/// The versions of functions on the disk, under `<state>/versions/FUNCTION`: one folder each, and what is known of them.
///
/// A version is a copy, so that nothing that happens in the functions folder changes it under its workers.
struct VersionStore: Sendable {
    let state: StateDirectory

    func folder(of function: String, _ number: Int) -> String { "\(state.versions(of: function))/v\(number)" }

    private func historyFile(of function: String) -> String { "\(state.versions(of: function))/history.json" }

    /// What is known of `function`; an empty history when it is new or its file is damaged.
    func history(of function: String) -> FunctionHistory {
        guard let data = FileManager.default.contents(atPath: historyFile(of: function)),
            let history = try? JSON.decode(FunctionHistory.self, from: data)
        else { return FunctionHistory() }
        return history
    }

    /// - Throws: ``FileError``.
    func save(_ history: FunctionHistory, of function: String) throws {
        let file = try AtomicFile(path: historyFile(of: function))
        try file.write(try JSON.encode(history))
        try file.commit()
    }

    /// Copies the folder `source` as version `number` of `function`. Blocks, on a thread of its own.
    /// - Returns: the fingerprint of what was copied.
    /// - Throws: ``FileError``.
    func copy(_ source: String, as number: Int, of function: String) async throws -> String {
        let target = folder(of: function, number)
        return try await withCheckedThrowingContinuation { continuation in
            startBlockingThread {
                continuation.resume(with: Result {
                    remove(target)
                    try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
                    var copy = FolderCopy()
                    try copy.copy(source, to: target)
                    return copy.fingerprint
                })
            }
        }
    }

    func remove(_ number: Int, of function: String) { remove(folder(of: function, number)) }

    /// Removes every folder of `function` that is not among `kept`: what a run that was killed left half done.
    func removeAll(of function: String, but kept: [Int]) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: state.versions(of: function))) ?? []
        for name in names where name.hasPrefix("v") && !kept.contains(where: { "v\($0)" == name }) {
            remove("\(state.versions(of: function))/\(name)")
        }
    }

    private func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}
