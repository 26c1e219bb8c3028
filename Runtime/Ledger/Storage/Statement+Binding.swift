import GRDB
import GRDBSQLite

/// Straight to SQLite, for what every call does or a report does a million times: GRDB's arguments and rows cost more than such a
/// statement itself. None of its observers look on, for the ledger has none.
extension Statement {
    /// Runs a statement that returns no rows, with `values` for its parameters, in their order.
    func execute<each Value: StatementBinding>(binding values: repeat each Value, in db: Database) throws {
        try first(binding: repeat each values, in: db) { _ in }
    }

    /// Runs a statement with `values` for its parameters, in their order.
    /// - Returns: what `body` makes of the first row; `nil` when there is none.
    @discardableResult
    func first<each Value: StatementBinding, Result>(
        binding values: repeat each Value, in db: Database, _ body: (SQLiteStatement) throws -> Result
    ) throws -> Result? {
        // What is bound is copied by SQLite, and replaced the next time.
        defer { sqlite3_reset(sqliteStatement) }
        var index: CInt = 0
        for value in repeat each values {
            index += 1
            let code = value.bind(to: sqliteStatement, at: index)
            guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code), message: db.lastErrorMessage) }
        }
        return try step(in: db) ? body(sqliteStatement) : nil
    }

    /// - Returns: whether there is another row.
    func step(in db: Database) throws -> Bool {
        switch sqlite3_step(sqliteStatement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw DatabaseError(resultCode: ResultCode(rawValue: code), message: db.lastErrorMessage)
        }
    }
}
