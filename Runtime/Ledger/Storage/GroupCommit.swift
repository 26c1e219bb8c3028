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

    /// Tells a caller how its transaction ended.
    private typealias Answer = @Sendable () -> Void

    private struct Entry: Sendable {
        let isDurable: Bool
        let isOneStatement: Bool
        /// Runs the transaction; throws what it throws. What it returns answers the caller with the result, once that is committed.
        let run: @Sendable (Database) throws -> Answer
        /// Answers the caller with the error that undid it.
        let fail: @Sendable (any Error) -> Void
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
    /// - Parameters:
    ///   - durably: return only when the commit survives what ``Durability`` promises.
    ///   - isOneStatement: Whether `body` runs one statement that writes, or none. SQLite undoes one that fails by itself, so it needs
    ///     no savepoint, which would cost half as much again.
    func write<Value: Sendable>(
        durably: Bool, isOneStatement: Bool = false, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            submit(Entry(isDurable: durably, isOneStatement: isOneStatement) { db in
                let value = try body(db)
                return { continuation.resume(returning: value) }
            } fail: { error in
                continuation.resume(throwing: error)
            })
        }
    }

    /// Returns when what was given to ``write(durably:isOneStatement:_:)`` before is committed or has failed.
    func awaitAll() async throws {
        if state.withLock({ $0.isWriting }) { try await write(durably: false, isOneStatement: true) { _ in } }
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
            let answers = try batch.map { try run($0, alone: batch.count == 1, db) }
            try db.cachedStatement(sql: "COMMIT").execute()
            state.withLock { state in
                state.counts.transactions += batch.count
                state.counts.commits += 1
                state.counts.flushes += synchronous == "FULL" ? 1 : 0
            }
            for answer in answers { answer() }
        } catch {
            if db.isInsideTransaction { try? db.rollback() }
            for entry in batch { entry.fail(error) }
        }
    }

    /// - Returns: what answers the caller, once all is committed: where the entry failed, it is undone and has left the others whole.
    /// - Throws: what ended the whole transaction, such as a full disk.
    private func run(_ entry: Entry, alone: Bool, _ db: Database) throws -> Answer {
        let hasSavepoint = !alone && !entry.isOneStatement
        if hasSavepoint { try db.cachedStatement(sql: "SAVEPOINT entry").execute() }
        do {
            let answer = try entry.run(db)
            if hasSavepoint { try db.cachedStatement(sql: "RELEASE entry").execute() }
            return answer
        } catch {
            guard !alone, db.isInsideTransaction else { throw error }
            if hasSavepoint {
                try db.cachedStatement(sql: "ROLLBACK TO entry").execute()
                try db.cachedStatement(sql: "RELEASE entry").execute()
            }
            return { entry.fail(error) }
        }
    }
}
