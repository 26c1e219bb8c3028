import FoundationEssentials
import SwiftletSystem

extension Ledger {
    /// Copies the ledger as it is at one moment to another file, while it is in use. The copy is written aside, synchronized and
    /// renamed, so that `target` is whole or not there. Blocks until then.
    /// - Parameter replacing: Whether an earlier file is replaced.
    /// - Throws: ``LedgerError`` when there is such a file, or nothing can be written there.
    package func backUp(to target: String, replacing: Bool = false) throws {
        let files = FileManager.default
        guard replacing || !files.fileExists(atPath: target) else {
            throw LedgerError(.invalid, "\(target) exists. Choose another name, or replace it with --replace.")
        }
        guard !Self.isSameFile(target, path) else {
            throw LedgerError(.invalid, "\(target) is the ledger itself. Choose another file for its backup.")
        }
        let partial = "\(target).partial"
        func removePartial() {
            for suffix in ["", "-wal", "-shm", "-journal"] { try? files.removeItem(atPath: partial + suffix) }
        }
        removePartial()
        do {
            try Self.create(partial)
            try copy(to: partial)
            try AtomicFile.rename(partial, to: target)
        } catch {
            removePartial()
            throw (error as? FileError).map { LedgerError(.permission, $0.message) } ?? error
        }
        removePartial()
    }

    private static func isSameFile(_ one: String, _ other: String) -> Bool {
        let files = FileManager.default
        guard let a = try? files.attributesOfItem(atPath: one), let b = try? files.attributesOfItem(atPath: other) else { return false }
        return a[.systemFileNumber] as? Int == b[.systemFileNumber] as? Int && a[.systemNumber] as? Int == b[.systemNumber] as? Int
    }
}
