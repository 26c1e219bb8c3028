import GRDB

/// Invocations that are entered when they have ended, in one statement: a trigger seals them as it seals those that are settled.
enum Version7 {
    static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("invocations entered at their end", foreignKeyChecks: .immediate) { db in
            try db.execute(sql: """
                DROP TRIGGER settlements_are_chained;
                CREATE TRIGGER settlements_are_chained AFTER UPDATE OF status ON invocations
                WHEN OLD.status = 'reserved' AND NEW.status <> 'reserved' BEGIN
                    \(appending("NEW.id", call: "NULL", text: Version4.settlement("NEW")))
                END;
                -- What is only just entered has no calls yet.
                CREATE TRIGGER entered_settlements_are_chained AFTER INSERT ON invocations WHEN NEW.status <> 'reserved' BEGIN
                    \(appending("NEW.id", call: "NULL", text: Version4.settlement("NEW", calls: "json_array()")))
                END;
                DROP TRIGGER late_calls_are_chained;
                CREATE TRIGGER late_calls_are_chained AFTER INSERT ON usage
                WHEN (SELECT status FROM invocations WHERE id = NEW.invocation) <> 'reserved' BEGIN
                    \(appending("NEW.invocation", call: "NEW.call", text: Version4.lateCall("NEW")))
                END;
                """)
        }
    }

    /// A statement that appends an entry. Of VALUES, because SQLite gathers what it SELECTs in another table first if it comes from
    /// the table that it goes to.
    private static func appending(_ invocation: String, call: String, text: String) -> String {
        func last(_ column: String) -> String {
            "COALESCE((SELECT \(column) FROM chain ORDER BY sequence DESC LIMIT 1), (SELECT \(column) FROM chain_start))"
        }
        return """
            INSERT INTO chain (sequence, invocation, call, digest)
            VALUES (1 + \(last("sequence")), \(invocation), \(call), sha256(\(last("digest")), \(text)));
            """
    }
}
