import FoundationEssentials
import GRDB
import Wire

/// What ``Ledger/verify()`` has looked at, and what was wrong.
package struct Verification: Hashable, Sendable {
    /// One thing that does not add up.
    package struct Fault: Hashable, Sendable, CustomStringConvertible {
        package enum Kind: String, Hashable, Sendable, CaseIterable {
            /// SQLite finds the file damaged, or a row that refers to none.
            case file
            /// A call or an invocation does not cost what its price says.
            case cost
            /// A sum that reports are made of is not the sum of its rows.
            case sum
            /// What a key has spent is not the sum of its rows.
            case balance
            /// Something was changed, taken away or put in after it was settled.
            case chain
        }

        package let kind: Kind
        package let message: String

        package var description: String { "\(kind.rawValue): \(message)" }
    }

    /// Calls that were made for attempts that were given up.
    package struct Losses: Hashable, Sendable {
        package internal(set) var calls = 0
        /// What they would have cost.
        package internal(set) var cost = NanoUSD.zero
    }

    package internal(set) var calls = 0
    /// Invocations that are settled.
    package internal(set) var invocations = 0
    /// Entries of the hash chain that were pruned with what they sealed.
    package internal(set) var pruned = 0
    package internal(set) var losses = Losses()
    /// The chain's last digest, in hexadecimal: whoever notes it down can tell later that nothing before it has changed.
    package internal(set) var head = ""
    /// At most ``faultLimit`` of each kind.
    package private(set) var faults: [Fault] = []
    /// How many faults of a kind there were beyond the limit.
    package private(set) var unlisted: [Fault.Kind: Int] = [:]

    package static let faultLimit = 20

    mutating func add(_ kind: Fault.Kind, _ message: String) {
        if faults.count(where: { $0.kind == kind }) < Self.faultLimit {
            faults.append(Fault(kind: kind, message: message))
        } else {
            unlisted[kind, default: 0] += 1
        }
    }
}

extension Ledger {
    /// Checks that every balance and every sum equals the sum of its rows, that every row costs what its price says, and that the
    /// hash chain over what was settled is whole. It sees the ledger as it is at one moment, and nobody has to wait for it.
    package func verify() async throws -> Verification {
        try await read { db in
            var verification = Verification()
            // What is damaged cannot be relied on to be read.
            guard try verification.isReadable(db) else { return verification }
            try verification.checkStructure(db)
            try verification.checkCosts(db)
            try verification.checkLosses(db)
            try verification.checkSums(db)
            try verification.checkBalances(db)
            try verification.checkChain(db)
            return verification
        }
    }
}

extension Verification {
    fileprivate mutating func isReadable(_ db: Database) throws -> Bool {
        for line in try String.fetchAll(db, sql: "PRAGMA quick_check(20)") where line != "ok" { add(.file, line) }
        return faults.isEmpty
    }

    fileprivate mutating func checkStructure(_ db: Database) throws {
        for row in try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").prefix(Self.faultLimit) {
            add(.file, "a row of '\(row["table"] as String)' refers to a row of '\(row["parent"] as String)' that is not there")
        }
        let triggers = [
            "usage_is_summed", "fees_are_summed", "settlements_are_chained", "entered_settlements_are_chained", "late_calls_are_chained",
            "usage_is_taken_back",
        ]
        let present = try Set(String.fetchAll(db, sql: "SELECT name FROM sqlite_schema WHERE type = 'trigger'"))
        for trigger in triggers where !present.contains(trigger) {
            add(.file, "the trigger '\(trigger)', which keeps sums or chain, is not there")
        }
    }
}
