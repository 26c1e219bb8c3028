import FoundationEssentials
import SwiftletSystem
import Synchronization
import Wire

/// What a host's running calls have made so far, in a file that outlives the host.
///
/// A call is entered before it begins, each token counted before its text is sent, and the entry closed when the ledger has the
/// call's usage row. Counting is a store to mapped memory, no system call; killed at any point, the host leaves what its callers
/// may have received, and whoever finds that (``Ledger/collectTallies(patience:)``) makes usage rows of it.
package final class Tally: Sendable {
    private struct State {
        var free: [Int]
        var calls: Set<UUIDv7> = []
    }

    private let file: SharedFile
    private let state: Mutex<State>

    /// Makes the tally of the host of `model`, beside the ledger.
    /// - Throws: ``LedgerError`` when the file cannot be made.
    package init(for ledger: Ledger, model: String) throws {
        guard model.utf8.count <= TallyLayout.longestAlias else {
            throw LedgerError(.invalid, "A model's alias has at most \(TallyLayout.longestAlias) bytes.")
        }
        do {
            try FileManager.default.createDirectory(
                atPath: ledger.tallyFolder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            file = try SharedFile.create(path: "\(ledger.tallyFolder)/\(UUIDv7()).tally", size: TallyLayout.size)
        } catch {
            throw LedgerError(.storage, "The tally in \(ledger.tallyFolder) cannot be made: \(error). Check the disk's space and your rights there.")
        }
        // The lowest first, so that few pages are in use.
        state = Mutex(State(free: (0..<TallyLayout.slotCount).reversed()))
        file.bytes.storeBytes(of: Int64(model.utf8.count), toByteOffset: 16, as: Int64.self)
        UnsafeMutableRawBufferPointer(rebasing: file.bytes[24...]).copyBytes(from: model.utf8)
        file.bytes.storeBytes(of: TallyLayout.magic, as: UInt64.self)
    }

    /// One running call. It is closed when its usage is in the ledger, or there is none.
    package final class Entry: Sendable {
        private let tally: Tally
        private let slot: Int
        private let call: UUIDv7
        private let isOpen = Mutex(true)

        fileprivate init(_ tally: Tally, slot: Int, call: UUIDv7) {
            self.tally = tally
            self.slot = slot
            self.call = call
        }

        /// Counts tokens before their text is sent; once closed, they are in the ledger already.
        package func add(_ tokens: Int) {
            isOpen.withLock { isOpen in
                guard isOpen else { return }
                tally.number(at: TallyLayout.offset(of: slot) + 8) { _ = $0.add(Int64(tokens), ordering: .releasing) }
            }
        }

        package func close() {
            isOpen.withLock { isOpen in
                guard isOpen else { return }
                isOpen = false
                tally.number(at: TallyLayout.offset(of: slot)) { $0.store(0, ordering: .releasing) }
                tally.state.withLock { state in
                    state.free.append(slot)
                    state.calls.remove(call)
                }
            }
        }
    }

    /// Enters a call before it begins.
    /// - Throws: ``LedgerError``: `busy` when as many calls run as the tally has room for, `repeated` when this one does.
    package func open(_ request: CallRequest) throws(LedgerError) -> Entry {
        guard let kind = TallyLayout.kinds.firstIndex(of: request.kind) else { throw LedgerError(.invalid, "No model makes \(request.kind.rawValue).") }
        let adapter = Array((ModelName(request.model).adapter ?? "").utf8)
        guard adapter.count <= TallyLayout.longestAdapter else {
            throw LedgerError(.invalid, "An adapter's name has at most \(TallyLayout.longestAdapter) bytes.")
        }
        let attempt = Array(request.attempt.path.utf8)
        guard attempt.count <= TallyLayout.longestAttempt else { throw LedgerError(.invalid, "Functions call each other too deeply here.") }
        let slot = try state.withLock { state throws(LedgerError) in
            guard !state.calls.contains(request.call) else { throw LedgerError(.repeated, "The call \(request.call) is running.") }
            guard let slot = state.free.popLast() else {
                throw LedgerError(.busy, "The model '\(request.model)' has as many calls as it can count. Try again.")
            }
            state.calls.insert(request.call)
            return slot
        }
        let offset = TallyLayout.offset(of: slot)
        file.bytes.storeBytes(of: request.invocation.bits, toByteOffset: offset + 16, as: UInt128.self)
        file.bytes.storeBytes(of: request.call.bits, toByteOffset: offset + 32, as: UInt128.self)
        file.bytes.storeBytes(of: request.started.milliseconds, toByteOffset: offset + 48, as: Int64.self)
        file.bytes.storeBytes(of: Int64(kind), toByteOffset: offset + 56, as: Int64.self)
        file.bytes.storeBytes(of: Int64(request.promptTokens), toByteOffset: offset + 64, as: Int64.self)
        file.bytes.storeBytes(of: 0, toByteOffset: offset + 72, as: Int64.self)
        for (place, text) in [(80, adapter), (128, attempt)] {
            file.bytes.storeBytes(of: Int64(text.count), toByteOffset: offset + place, as: Int64.self)
            UnsafeMutableRawBufferPointer(rebasing: file.bytes[(offset + place + 8)...]).copyBytes(from: text)
        }
        number(at: offset + 8) { $0.store(0, ordering: .relaxed) }
        number(at: 8) { _ = $0.max(Int64(slot + 1), ordering: .relaxed) }
        number(at: offset) { $0.store(1, ordering: .releasing) }
        return Entry(self, slot: slot, call: request.call)
    }

    /// Removes the file. For the end of a host in which no call runs; one with an open call stays for the ledger to collect.
    package func end() {
        if TallyReader(UnsafeRawBufferPointer(file.bytes))?.open.isEmpty ?? true { file.remove() }
    }

    private func number<Result>(at offset: Int, _ body: (borrowing Atomic<Int64>) -> Result) -> Result {
        // Offsets are multiples of 8 in a page-aligned mapping, and an atomic integer is laid out as the integer.
        let pointer = file.bytes.baseAddress!.advanced(by: offset).assumingMemoryBound(to: Atomic<Int64>.self)
        return body(pointer.pointee)
    }
}
