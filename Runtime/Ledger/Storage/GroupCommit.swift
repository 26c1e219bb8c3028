import GRDB
import Synchronization

/// The one writer of a process. Transactions that arrive while others are on their way to the disk are committed together, so
/// that one flush serves many; one that arrives alone is committed at once. Those that nobody waits for are collected for a moment, because
/// to wake a thread and to commit cost more than to write a row.
final class GroupCommit: Sendable {
    /// What was committed since the start, for measurements and tests.
    struct Counts: Hashable, Sendable {
        var transactions = 0
        var commits = 0
        /// Commits that waited for the disk.
        var flushes = 0
    }

    /// Tells a caller how its transaction ended.
    fileprivate typealias Answer = @Sendable () -> Void

    fileprivate struct Entry: Sendable {
        let isDurable: Bool
        let isOneStatement: Bool
        let isPatient: Bool
        /// Runs the transaction; throws what it throws. What it returns answers the caller with the result, once that is committed.
        let run: @Sendable (Database) throws -> Answer
        /// Answers the caller with the error that undid it.
        let fail: @Sendable (any Error) -> Void
    }

    fileprivate struct State {
        var waiting: [Entry] = []
        /// How many of them are not patient.
        var hurried = 0
        var isWriting = false
        /// Whether the patient ones' time is measured, and whether it is over.
        var isTimed = false
        var isDue = false
        /// SQLite's, as it was set last.
        var synchronous = ""
        var counts = Counts()
    }

    /// More would make the first wait long for the last.
    private static let largestBatch = 512
    /// How many patient entries are collected, and for how long.
    fileprivate static let mostPatient = 256
    private static let patience = Duration.milliseconds(5)

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
    ///   - isPatient: Whether nobody waits for it: it may be committed some milliseconds later, together with others.
    ///   - isOneStatement: Whether `body` runs one statement that writes, or none. SQLite undoes one that fails by itself, triggers and
    ///     all, so that the entry is spared a savepoint.
    func write<Value: Sendable>(
        durably: Bool, isPatient: Bool = false, isOneStatement: Bool = false, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            submit(Entry(isDurable: durably, isOneStatement: isOneStatement, isPatient: isPatient) { db in
                let value = try body(db)
                return { continuation.resume(returning: value) }
            } fail: { error in
                continuation.resume(throwing: error)
            })
        }
    }

    /// Returns when what was given to ``write(durably:isPatient:isOneStatement:_:)`` before is committed or has failed.
    func awaitAll() async {
        guard state.withLock({ $0.isWriting || !$0.waiting.isEmpty }) else { return }
        try? await write(durably: false, isOneStatement: true) { _ in }
    }

    private func submit(_ entry: Entry) {
        let step = state.withLock { state in
            state.waiting.append(entry)
            if !entry.isPatient { state.hurried += 1 }
            return state.next()
        }
        perform(step)
    }

    private func perform(_ step: State.Step) {
        switch step {
        case .nothing: break
        case .write:
            pool.asyncWriteWithoutTransaction { [self] db in
                while let batch = nextBatch() { commit(batch, db) }
                perform(state.withLock { $0.next() })
            }
        case .wait:
            Task {
                try? await Task.sleep(for: Self.patience)
                perform(state.withLock { state in
                    (state.isTimed, state.isDue) = (false, true)
                    return state.next()
                })
            }
        }
    }

    private func nextBatch() -> [Entry]? {
        state.withLock { state in
            state.isWriting = state.mustWrite
            guard state.isWriting else { return nil }
            let batch = Array(state.waiting.prefix(Self.largestBatch))
            state.waiting.removeFirst(batch.count)
            state.hurried -= batch.count { !$0.isPatient }
            state.isDue = state.isDue && !state.waiting.isEmpty
            return batch
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

extension GroupCommit.State {
    fileprivate enum Step { case nothing, write, wait }

    /// Whether what waits is to be written now.
    fileprivate var mustWrite: Bool { !waiting.isEmpty && (hurried > 0 || isDue || waiting.count >= GroupCommit.mostPatient) }

    /// What is to be done for what waits. The caller does it.
    fileprivate mutating func next() -> Step {
        if isWriting || waiting.isEmpty { return .nothing }
        if mustWrite {
            isWriting = true
            return .write
        }
        defer { isTimed = true }
        return isTimed ? .nothing : .wait
    }
}
