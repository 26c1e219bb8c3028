import FoundationEssentials
import GRDB
import Synchronization
import SystemPackage

/// Keys, prices, invocations and usage: one SQLite file that the gateway, every model host and the command line open at once.
///
/// Every method is safe to call from any task; SQLite runs on threads of its own. All of them throw ``LedgerError``.
package final class Ledger: Sendable {
    /// How long a writer waits for another process, in seconds.
    package static let busyTimeout = 10

    package let path: String
    private let pool: DatabasePool
    /// Keys that were looked up less than `keyFreshness` ago, by public id.
    let recentKeys = Mutex<[String: RecentKey]>([:])
    let keyFreshness: Duration

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
            self.pool = try Ledger.open(path)
        } catch let error as DatabaseError {
            throw LedgerError(error, path: path)
        }
    }

    /// An empty file that only its owner may read; SQLite gives its side files the same permissions.
    private static func create(_ path: String) throws {
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
        configuration.busyMode = .timeout(TimeInterval(busyTimeout))
        configuration.label = "ledger"
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
    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await pool.read(body)
        } catch let error as DatabaseError {
            throw LedgerError(error, path: path)
        }
    }

    /// Runs `body` in one transaction that commits, or fails as a whole.
    ///
    /// GRDB gives up when the calling task is cancelled; a bill is written even though the one who asked has hung up,
    /// so the transaction runs in a task of its own, which this method waits for.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await Task { [pool] in try await pool.write(body) }.value
        } catch let error as DatabaseError {
            throw LedgerError(error, path: path)
        }
    }
}
