import GRDB

/// The price of output that was found in the response cache, free where none is set; and prices that were announced for a date to
/// come (`scheduled`), which another list may take back until then.
enum Version5 {
    static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("cached answers and prices to come", foreignKeyChecks: .immediate) { db in
            try db.execute(sql: """
                ALTER TABLE prices ADD COLUMN cached_output INTEGER NOT NULL DEFAULT 0 CHECK (cached_output >= 0);
                ALTER TABLE prices ADD COLUMN scheduled INTEGER NOT NULL DEFAULT 0;
                """)
        }
    }
}
