import FoundationEssentials
import GRDB
import Synchronization
import SwiftletSystem
import SystemPackage

/// Keys, prices, invocations and usage: one SQLite file that the gateway, every model host and the command line open at once.
///
/// Every method is safe to call from any task; SQLite runs on threads of its own. All of them throw ``LedgerError``.
package final class Ledger: Sendable {
    /// How long a writer waits for another process, in seconds.
    package static let busyTimeout = 10

    package let path: String
    private let pool: DatabasePool
    private let commits: GroupCommit
    /// Keys that were looked up less than `keyFreshness` ago, by public id.
    let recentKeys = Mutex(RecentKeys())
    let keyFreshness: Duration
    /// What functions' invocations are charged, looked up less than `keyFreshness` ago.
    let recentFees = Mutex(RecentFees())

    /// Opens the ledger at `path` and brings its tables up to date. Blocks: for the start of a process.
    ///
    /// - Parameters:
    ///   - creating: Whether a missing ledger is made.
    ///   - keyFreshness: For how long a key is taken as valid after another process has revoked it.
    package init(path: String, creating: Bool = true, keyFreshness: Duration = .seconds(1)) throws {
        if creating {
            try Ledger.create(path)
        } else if !FileManager.default.fileExists(atPath: path) {
            throw LedgerError(.missing, "There is no ledger at \(path).")
        }
        self.path = path
        self.keyFreshness = keyFreshness
        do {
            let pool = try Ledger.open(path)
            self.pool = pool
            self.commits = GroupCommit(pool: pool, durability: try pool.read(Ledger.durability))
        } catch let error as DatabaseError {
            throw LedgerError(error, path: path)
        }
    }

    /// An empty file that only its owner may read; SQLite gives its side files the same permissions.
    static func create(_ path: String) throws {
        do {
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
            try file.close()
        } catch Errno.fileExists {
        } catch let error as Errno {
            let code: LedgerError.Code = error == .noSpace ? .diskFull : .permission
            throw LedgerError(code, "The ledger \(path) cannot be made: \(error.description). Check that its folder exists and may be written.")
        }
    }

    private static func open(_ path: String) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.busyMode = .callback(Ledger.waitForOthers)
        configuration.label = "ledger"
        configuration.prepareDatabase { db in
            // In effect where the file is new: it then gives back what is pruned.
            if !db.configuration.readonly { try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL") }
            try Version4.addDigest(to: db)
        }
        let deadline = ContinuousClock.now + .seconds(busyTimeout)
        while true {
            do {
                let pool = try DatabasePool(path: path, configuration: configuration)
                try Schema.migrate(pool, path: path)
                return pool
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY && ContinuousClock.now < deadline {
                // SQLite does not wait for its lock while another process turns on WAL, which takes a moment: try again.
                continue
            }
        }
    }
}

extension Ledger {
    /// Copies everything, as it is at one moment, into the file at `path`.
    func copy(to path: String) throws {
        do {
            try pool.backup(to: DatabaseQueue(path: path))
        } catch let error as DatabaseError {
            throw LedgerError(error, path: path)
        }
    }

    /// Waits for no writer, of this process or another, unless it is asked to.
    /// - Parameter awaitingWrites: Whether `body` sees all that this process has asked to be written before, also what nobody waits for.
    func read<Value: Sendable>(awaitingWrites: Bool = false, _ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            if awaitingWrites { await commits.awaitAll() }
            return try await pool.read(body)
        } catch let error as DatabaseError {
            throw LedgerError(error, path: path)
        }
    }

    /// Runs `body` in a transaction that commits, or fails as a whole, whether or not the calling task is cancelled.
    /// - Parameters:
    ///   - durably: return only when the commit survives what ``Durability`` promises.
    ///   - isPatient: Whether nobody waits for it: it may be committed some milliseconds later, together with others.
    ///   - isOneStatement: Whether `body` runs one statement that writes, or none.
    func write<Value: Sendable>(
        durably: Bool = true, isPatient: Bool = false, isOneStatement: Bool = false, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        do {
            return try await commits.write(durably: durably, isPatient: isPatient, isOneStatement: isOneStatement, body)
        } catch let error as DatabaseError {
            throw LedgerError(error, path: path)
        }
    }

    /// Transactions, commits and flushes of this process since it opened the ledger.
    package var commitCounts: (transactions: Int, commits: Int, flushes: Int) {
        let counts = commits.counts
        return (counts.transactions, counts.commits, counts.flushes)
    }

    /// Decides what a commit survives, for every process that opens the ledger from now on.
    package func setDurability(_ durability: Durability) async throws {
        try await write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO settings (name, value) VALUES ('durability', ?)", arguments: [durability.rawValue])
        }
        commits.set(durability)
    }

    private static func durability(_ db: Database) throws -> Durability {
        try String.fetchOne(db, sql: "SELECT value FROM settings WHERE name = 'durability'").flatMap(Durability.init) ?? .power
    }

    /// SQLite's own wait sleeps for up to 100 ms, though others hold the lock for less than one.
    private static func waitForOthers(_ tries: Int) -> Bool {
        switch tries {
        case ..<100: blockThread(for: .microseconds(100))
        case ..<1000: blockThread(for: .milliseconds(1))
        case ..<(1000 + (busyTimeout - 1) * 100): blockThread(for: .milliseconds(10))
        default: return false
        }
        return true
    }
}
