import GRDB

/// What keys may do and spend, fees, and what is needed to hold budgets and to answer a repeated request once.
enum Version2 {
    static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("budgets, limits and fees", foreignKeyChecks: .immediate) { db in
            // `functions`, `models` and `tags` are JSON arrays; a missing list of functions or models allows all.
            // After a rotation the previous secret is valid for a while.
            try db.execute(sql: """
                ALTER TABLE keys ADD COLUMN owner TEXT;
                ALTER TABLE keys ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
                ALTER TABLE keys ADD COLUMN expires INTEGER;
                ALTER TABLE keys ADD COLUMN functions TEXT;
                ALTER TABLE keys ADD COLUMN models TEXT;
                ALTER TABLE keys ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE keys ADD COLUMN max_budget INTEGER CHECK (max_budget >= 0);
                ALTER TABLE keys ADD COLUMN budget_duration TEXT NOT NULL DEFAULT 'total';
                ALTER TABLE keys ADD COLUMN soft_budget INTEGER CHECK (soft_budget >= 0);
                ALTER TABLE keys ADD COLUMN rpm_limit INTEGER CHECK (rpm_limit > 0);
                ALTER TABLE keys ADD COLUMN tpm_limit INTEGER CHECK (tpm_limit > 0);
                ALTER TABLE keys ADD COLUMN max_parallel_requests INTEGER CHECK (max_parallel_requests > 0);
                ALTER TABLE keys ADD COLUMN previous_hash BLOB;
                ALTER TABLE keys ADD COLUMN previous_until INTEGER;
                """)
            // Embeddings cost what input does where they have no price of their own.
            // `cost` of an invocation is its own fee, beside what its calls cost.
            try db.execute(sql: """
                ALTER TABLE prices ADD COLUMN embedding INTEGER CHECK (embedding >= 0);
                CREATE TABLE fees (
                    function TEXT NOT NULL,
                    valid_from INTEGER NOT NULL,
                    per_invocation INTEGER NOT NULL CHECK (per_invocation >= 0),
                    per_second INTEGER NOT NULL CHECK (per_second >= 0),
                    PRIMARY KEY (function, valid_from)
                ) STRICT, WITHOUT ROWID;
                ALTER TABLE invocations ADD COLUMN version TEXT;
                ALTER TABLE invocations ADD COLUMN cold_start_ms INTEGER;
                ALTER TABLE invocations ADD COLUMN cost INTEGER NOT NULL DEFAULT 0 CHECK (cost >= 0);
                ALTER TABLE usage ADD COLUMN first_token_ms INTEGER;
                ALTER TABLE usage ADD COLUMN load_ms INTEGER;
                """)
            // What each key has spent, by the day in which a call or an invocation began: always the sum of its rows.
            // What running calls may still cost at most; an invocation's own fee has no call.
            try db.execute(sql: """
                CREATE TABLE spending (
                    key TEXT NOT NULL REFERENCES keys (id),
                    day INTEGER NOT NULL,
                    cost INTEGER NOT NULL CHECK (cost >= 0),
                    PRIMARY KEY (key, day)
                ) STRICT, WITHOUT ROWID;
                INSERT INTO spending SELECT key, usage.started / 86400000 AS day, SUM(usage.cost)
                    FROM usage JOIN invocations ON invocations.id = invocation GROUP BY key, day;
                CREATE TABLE holds (
                    invocation TEXT NOT NULL,
                    call TEXT NOT NULL DEFAULT '',
                    key TEXT NOT NULL REFERENCES keys (id),
                    amount INTEGER NOT NULL CHECK (amount >= 0),
                    PRIMARY KEY (invocation, call)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX holds_by_key ON holds (key, amount);
                CREATE TABLE settings (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
                """)
            // Soft budgets that were passed, once in each period, until their webhook has been told.
            try db.execute(sql: """
                CREATE TABLE alerts (
                    id TEXT NOT NULL PRIMARY KEY,
                    key TEXT NOT NULL REFERENCES keys (id),
                    period INTEGER NOT NULL,
                    soft_budget INTEGER NOT NULL,
                    spent INTEGER NOT NULL,
                    created INTEGER NOT NULL,
                    delivered INTEGER,
                    UNIQUE (key, period, soft_budget)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX alerts_waiting ON alerts (created) WHERE delivered IS NULL;
                """)
            // Requests with an Idempotency-Key: whose, what was asked, which invocation runs for it, and the answer when there is one.
            try db.execute(sql: """
                CREATE TABLE idempotency (
                    key TEXT NOT NULL REFERENCES keys (id),
                    token TEXT NOT NULL,
                    fingerprint BLOB NOT NULL,
                    invocation TEXT NOT NULL,
                    created INTEGER NOT NULL,
                    status INTEGER,
                    headers TEXT,
                    body BLOB,
                    PRIMARY KEY (key, token)
                ) STRICT;
                CREATE INDEX idempotency_by_time ON idempotency (created);
                """)
        }
    }
}
