import GRDB

/// Why the ledger could not do what was asked, told for a person.
package struct LedgerError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// There is no ledger at the path and none was to be made.
        case missing
        /// The file is not a ledger, or is damaged.
        case damaged
        /// A newer Swiftlet has changed the tables.
        case newerSchema
        /// The file or its folder may not be read or written.
        case permission
        case diskFull
        /// Another process held the ledger for longer than ``Ledger/busyTimeout``.
        case busy
        /// What was to be written makes no sense: a negative price, a name that is taken.
        case invalid
        /// The key's budget has no room for what was asked.
        case insufficientQuota
        /// The call runs or was billed already.
        case repeated
        /// The call is part of an ``Attempt`` that was given up.
        case givenUp
        /// No such key or invocation.
        case notFound
        /// Anything else that SQLite reports.
        case storage
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    init(_ error: DatabaseError, path: String) {
        switch error.resultCode {
        case .SQLITE_FULL:
            self.init(.diskFull, "The disk that holds the ledger \(path) is full. Free some space; nothing that costs anything is served until then.")
        case .SQLITE_NOTADB, .SQLITE_CORRUPT:
            self.init(.damaged, "\(path) is not a ledger or is damaged. Move it away and restore a backup; without one a new ledger starts empty.")
        case .SQLITE_CANTOPEN:
            self.init(.permission, "The ledger \(path) cannot be opened. Check that its folder exists and may be written.")
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            self.init(.permission, "The ledger \(path) may not be written. Check who owns the file and its folder.")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.busy, "Another process has kept the ledger \(path) locked for \(Ledger.busyTimeout) s. Close whatever holds it open and try again.")
        default:
            self.init(.storage, "The ledger \(path) failed: \(error.message ?? "SQLite error \(error.extendedResultCode.rawValue)").")
        }
    }
}
