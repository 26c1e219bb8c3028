import GRDB

/// Tries at an invocation that were given up, and what models had made for them: rows of `usage` that are charged to nobody.
enum Version6 {
    static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("attempts that were given up", foreignKeyChecks: .immediate) { db in
            // Paths of attempts; '' is the whole invocation (``Attempt``). Of a table without row ids the primary key's columns come first,
            // because SQLite 3.40's quick_check finds NULLs in it otherwise.
            try db.execute(sql: """
                ALTER TABLE usage ADD COLUMN attempt TEXT NOT NULL DEFAULT '';
                ALTER TABLE holds ADD COLUMN attempt TEXT NOT NULL DEFAULT '';
                CREATE TABLE given_up (
                    invocation TEXT NOT NULL REFERENCES invocations (id),
                    attempt TEXT NOT NULL,
                    PRIMARY KEY (invocation, attempt)
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE lost_usage (
                    invocation TEXT NOT NULL REFERENCES invocations (id),
                    call TEXT NOT NULL,
                    attempt TEXT NOT NULL,
                    model TEXT NOT NULL,
                    kind TEXT NOT NULL,
                    prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
                    cached_tokens INTEGER NOT NULL CHECK (cached_tokens BETWEEN 0 AND prompt_tokens),
                    completion_tokens INTEGER NOT NULL CHECK (completion_tokens >= 0),
                    cost INTEGER NOT NULL CHECK (cost >= 0),
                    finish_reason TEXT,
                    started INTEGER NOT NULL,
                    finished INTEGER NOT NULL,
                    first_token_ms INTEGER,
                    load_ms INTEGER,
                    PRIMARY KEY (invocation, call, attempt)
                ) STRICT, WITHOUT ROWID;
                """)
            // Only what is not settled can be given up; settled rows go when they are pruned, and their sums stay.
            try db.execute(sql: """
                CREATE TRIGGER usage_is_taken_back AFTER DELETE ON usage
                WHEN (SELECT status FROM invocations WHERE id = OLD.invocation) = 'reserved' BEGIN
                    \(Version3.takingBack("OLD"))
                END;
                """)
        }
    }
}
