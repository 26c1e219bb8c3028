import GRDB

/// Keys, prices per token, invocations and the usage of their calls.
enum Version1 {
    static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("keys, prices, invocations and usage", foreignKeyChecks: .immediate) { db in
            try db.execute(sql: """
                CREATE TABLE keys (
                    id TEXT NOT NULL PRIMARY KEY,
                    hash BLOB NOT NULL,
                    name TEXT NOT NULL,
                    tenant TEXT NOT NULL,
                    created INTEGER NOT NULL,
                    revoked INTEGER
                ) STRICT, WITHOUT ROWID;
                CREATE UNIQUE INDEX keys_in_use ON keys (name) WHERE revoked IS NULL;

                CREATE TABLE prices (
                    model TEXT NOT NULL,
                    valid_from INTEGER NOT NULL,
                    input INTEGER NOT NULL CHECK (input >= 0),
                    cached_input INTEGER NOT NULL CHECK (cached_input >= 0),
                    output INTEGER NOT NULL CHECK (output >= 0),
                    PRIMARY KEY (model, valid_from)
                ) STRICT, WITHOUT ROWID;

                CREATE TABLE invocations (
                    id TEXT NOT NULL PRIMARY KEY,
                    key TEXT NOT NULL REFERENCES keys (id),
                    tenant TEXT NOT NULL,
                    function TEXT NOT NULL,
                    route TEXT NOT NULL,
                    started INTEGER NOT NULL,
                    status TEXT NOT NULL,
                    http_status INTEGER,
                    duration_ms INTEGER,
                    queue_ms INTEGER,
                    first_byte_ms INTEGER
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX invocations_reserved ON invocations (id) WHERE status = 'reserved';

                CREATE TABLE usage (
                    invocation TEXT NOT NULL REFERENCES invocations (id),
                    call TEXT NOT NULL,
                    model TEXT NOT NULL,
                    kind TEXT NOT NULL,
                    prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
                    cached_tokens INTEGER NOT NULL CHECK (cached_tokens BETWEEN 0 AND prompt_tokens),
                    completion_tokens INTEGER NOT NULL CHECK (completion_tokens >= 0),
                    cost INTEGER NOT NULL CHECK (cost >= 0),
                    finish_reason TEXT,
                    started INTEGER NOT NULL,
                    finished INTEGER NOT NULL,
                    PRIMARY KEY (invocation, call)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX usage_by_time ON usage (started);
                """)
        }
    }
}
