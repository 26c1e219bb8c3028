import GRDB

/// The tables. Times are Unix milliseconds, days are whole days since 1970 (UTC), money is nano-USD, ids are text.
///
/// Each version is a file that registers its migration; a version that has been released never changes.
enum Schema {
    private static let migrator: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        Version1.register(in: &migrator)
        Version2.register(in: &migrator)
        Version3.register(in: &migrator)
        Version4.register(in: &migrator)
        Version5.register(in: &migrator)
        Version6.register(in: &migrator)
        Version7.register(in: &migrator)
        return migrator
    }()

    /// Brings the tables up to date; several processes may do so at once.
    static func migrate(_ pool: DatabasePool, path: String) throws {
        var rivals = migrator.migrations.count
        while try !isUpToDate(pool, path: path) {
            do {
                return try migrator.migrate(pool)
            } catch where rivals > 0 {
                // A migration and its mark are one transaction: if another process was faster, ours failed as a whole. Look again.
                rivals -= 1
            }
        }
    }

    private static func isUpToDate(_ pool: DatabasePool, path: String) throws -> Bool {
        try pool.read { db in
            guard try !migrator.hasBeenSuperseded(db) else {
                throw LedgerError(
                    .newerSchema, "The ledger \(path) was written by a newer Swiftlet. Update this one, or restore the backup made before the update.")
            }
            return try migrator.hasCompletedMigrations(db)
        }
    }
}
