import GRDB
import Synchronization

/// The one writer of a process. Transactions that arrive while others are on their way to the disk are committed together, so
/// that one flush serves many; one that arrives alone is committed at once.
final class GroupCommit: Sendable {
    /// What was committed since the start, for measurements and tests.
    struct Counts: Hashable, Sendable {
        var transactions = 0
        var commits = 0
        /// Commits that waited for the disk.
        var flushes = 0
    }

    private struct Entry: Sendable {
        let isDurable: Bool
        /// Runs the transaction and keeps its result; throws what it throws.
        let run: @Sendable (Database) throws -> Void
        /// Answers the caller: with the result, or with the error that undid it.
        let answer: @Sendable ((any Error)?) -> Void
    }

    private struct State {
        var waiting: [Entry] = []
        var isWriting = false
        /// SQLite's, as it was set last.
        var synchronous = ""
        var counts = Counts()
    }

    /// More would make the first wait long for the last.
    private static let largestBatch = 512

    private let pool: DatabasePool
    private let durability: Mutex<Durability>
    private let state = Mutex(State())

    init(pool: DatabasePool, durability: Durability) {
        self.pool = pool
        self.durability = Mutex(durability)
    }

    var counts: Counts { state.withLock { $0.counts } }

    func set(_ durability: Durability) { self.durability.withLock { $0 = durability } }

    /// Runs `body` in a transaction that is committed, or fails as a whole without touching others that are committed with it.
    ///
    /// It runs whether or not the calling task is cancelled: a bill is written even though the one who asked has hung up.
    /// - Parameter durably: return only when the commit survives what ``Durability`` promises.
    func write<Value: Sendable>(durably: Bool, _ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            let result = Mutex<Result<Value, any Error>?>(nil)
            submit(Entry(isDurable: durably) { db in
                let outcome = Result { try body(db) }
                result.withLock { $0 = outcome }
                _ = try outcome.get()
            } answer: { error in
                let outcome = error.map { .failure($0) } ?? result.withLock { $0 }
                continuation.resume(with: outcome ?? .failure(CancellationError()))
            })
        }
    }

    private func submit(_ entry: Entry) {
        let mustStart = state.withLock { state in
            state.waiting.append(entry)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        guard mustStart else { return }
        pool.asyncWriteWithoutTransaction { [self] db in
            while let batch = nextBatch() { commit(batch, db) }
        }
    }

    private func nextBatch() -> [Entry]? {
        state.withLock { state in
            let batch = Array(state.waiting.prefix(Self.largestBatch))
            state.waiting.removeFirst(batch.count)
            state.isWriting = !batch.isEmpty
            return batch.isEmpty ? nil : batch
        }
    }

    private func commit(_ batch: [Entry], _ db: Database) {
        let isDurable = batch.contains(where: \.isDurable)
        do {
            let synchronous = durability.withLock { $0 }.synchronous(durably: isDurable)
            if state.withLock({ $0.synchronous != synchronous }) {
                try db.execute(sql: "PRAGMA synchronous = \(synchronous)")
                state.withLock { $0.synchronous = synchronous }
            }
            try db.cachedStatement(sql: "BEGIN IMMEDIATE").execute()
            let failures = try batch.map { try run($0, alone: batch.count == 1, db) }
            try db.cachedStatement(sql: "COMMIT").execute()
            state.withLock { state in
                state.counts.transactions += batch.count
                state.counts.commits += 1
                state.counts.flushes += synchronous == "FULL" ? 1 : 0
            }
            for (entry, failure) in zip(batch, failures) { entry.answer(failure) }
        } catch {
            if db.isInsideTransaction { try? db.rollback() }
            for entry in batch { entry.answer(error) }
        }
    }

    /// - Returns: what `entry` failed with, once it is undone.
    /// - Throws: what ended the whole transaction, such as a full disk.
    private func run(_ entry: Entry, alone: Bool, _ db: Database) throws -> (any Error)? {
        if !alone { try db.cachedStatement(sql: "SAVEPOINT entry").execute() }
        do {
            try entry.run(db)
            if !alone { try db.cachedStatement(sql: "RELEASE entry").execute() }
            return nil
        } catch {
            guard !alone, db.isInsideTransaction else { throw error }
            try db.cachedStatement(sql: "ROLLBACK TO entry").execute()
            try db.cachedStatement(sql: "RELEASE entry").execute()
            return error
        }
    }
}
