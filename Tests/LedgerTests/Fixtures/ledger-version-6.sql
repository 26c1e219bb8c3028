-- A ledger as it was before invocations were entered at their end (versions 1 to 6 of the schema), made with Python's sqlite3 and
-- hashlib: three invocations that are settled, a call of the second one that was recorded after that, and one that was left open.
BEGIN TRANSACTION;
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
CREATE TABLE chain (
    sequence INTEGER PRIMARY KEY,
    invocation TEXT NOT NULL,
    call TEXT,
    digest BLOB NOT NULL
) STRICT;
INSERT INTO "chain" VALUES(1,'01a31000-0000-7000-8000-000000000000',NULL,X'833953477E9D47D9B39D0E50847B700993476F06B659DAE1A27A6769EA4BE5B7');
INSERT INTO "chain" VALUES(2,'01a31010-0000-7000-8000-000000000010',NULL,X'ACB22E99D5AB44F47051CFDF53DBA91FDCEA1D9100D6119DC8533CEE4796554B');
INSERT INTO "chain" VALUES(3,'01a31010-0000-7000-8000-000000000010','01a31012-0000-7000-8000-000000000012',X'C3E73806AB69B9295124363BB27D8E1920284D015F4EED176F6F708D023C40F6');
INSERT INTO "chain" VALUES(4,'01a31020-0000-7000-8000-000000000020',NULL,X'C355EE381CF122F2180472996D40BC0189BDFF87B8B134B12D616ABFFAA7075A');
CREATE TABLE chain_start (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    sequence INTEGER NOT NULL,
    digest BLOB NOT NULL,
    archive BLOB NOT NULL
) STRICT;
INSERT INTO "chain_start" VALUES(0,0,X'0000000000000000000000000000000000000000000000000000000000000000',X'0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE fees (
    function TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    per_invocation INTEGER NOT NULL CHECK (per_invocation >= 0),
    per_second INTEGER NOT NULL CHECK (per_second >= 0),
    PRIMARY KEY (function, valid_from)
) STRICT, WITHOUT ROWID;
CREATE TABLE given_up (
    invocation TEXT NOT NULL REFERENCES invocations (id),
    attempt TEXT NOT NULL,
    PRIMARY KEY (invocation, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO "grdb_migrations" VALUES('keys, prices, invocations and usage');
INSERT INTO "grdb_migrations" VALUES('budgets, limits and fees');
INSERT INTO "grdb_migrations" VALUES('usage per hour, day and month');
INSERT INTO "grdb_migrations" VALUES('hash chain and archive');
INSERT INTO "grdb_migrations" VALUES('cached answers and prices to come');
INSERT INTO "grdb_migrations" VALUES('attempts that were given up');
CREATE TABLE holds (
    invocation TEXT NOT NULL,
    call TEXT NOT NULL DEFAULT '',
    key TEXT NOT NULL REFERENCES keys (id),
    amount INTEGER NOT NULL CHECK (amount >= 0), attempt TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (invocation, call)
) STRICT, WITHOUT ROWID;
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
, version TEXT, cold_start_ms INTEGER, cost INTEGER NOT NULL DEFAULT 0 CHECK (cost >= 0)) STRICT, WITHOUT ROWID;
INSERT INTO "invocations" VALUES('01a31000-0000-7000-8000-000000000000','ziinfrjc9h474yns','ziinfrjc9h474yns','generate','POST /generate',1800000000000,'succeeded',200,5,0,2,NULL,NULL,0);
INSERT INTO "invocations" VALUES('01a31010-0000-7000-8000-000000000010','ziinfrjc9h474yns','ziinfrjc9h474yns','generate','POST /generate',1800003600000,'succeeded',200,5,0,2,NULL,NULL,0);
INSERT INTO "invocations" VALUES('01a31020-0000-7000-8000-000000000020','ziinfrjc9h474yns','ziinfrjc9h474yns','generate','POST /generate',1800007200000,'succeeded',200,5,0,2,NULL,NULL,0);
INSERT INTO "invocations" VALUES('01a31030-0000-7000-8000-000000000030','ziinfrjc9h474yns','ziinfrjc9h474yns','generate','POST /generate',1800010800000,'reserved',NULL,NULL,NULL,NULL,NULL,NULL,0);
CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    tenant TEXT NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER
, owner TEXT, tags TEXT NOT NULL DEFAULT '[]', expires INTEGER, functions TEXT, models TEXT, is_admin INTEGER NOT NULL DEFAULT 0, max_budget INTEGER CHECK (max_budget >= 0), budget_duration TEXT NOT NULL DEFAULT 'total', soft_budget INTEGER CHECK (soft_budget >= 0), rpm_limit INTEGER CHECK (rpm_limit > 0), tpm_limit INTEGER CHECK (tpm_limit > 0), max_parallel_requests INTEGER CHECK (max_parallel_requests > 0), previous_hash BLOB, previous_until INTEGER) STRICT, WITHOUT ROWID;
INSERT INTO "keys" VALUES('ziinfrjc9h474yns',X'F628492932D58D0BA470F341C70728D7AD92038B134540B4604574EC62FC93CD','app','ziinfrjc9h474yns',1795301185291,NULL,NULL,'[]',NULL,NULL,NULL,0,NULL,'total',NULL,NULL,NULL,NULL,NULL,NULL);
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
CREATE TABLE prices (
    model TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    input INTEGER NOT NULL CHECK (input >= 0),
    cached_input INTEGER NOT NULL CHECK (cached_input >= 0),
    output INTEGER NOT NULL CHECK (output >= 0), embedding INTEGER CHECK (embedding >= 0), cached_output INTEGER NOT NULL DEFAULT 0 CHECK (cached_output >= 0), scheduled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (model, valid_from)
) STRICT, WITHOUT ROWID;
INSERT INTO "prices" VALUES('chat',1799999999000,150000000,150000000,600000000,NULL,0,0);
CREATE TABLE settings (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE spending (
    key TEXT NOT NULL REFERENCES keys (id),
    day INTEGER NOT NULL,
    cost INTEGER NOT NULL CHECK (cost >= 0),
    PRIMARY KEY (key, day)
) STRICT, WITHOUT ROWID;
INSERT INTO "spending" VALUES('ziinfrjc9h474yns',20833,17550);
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
    finished INTEGER NOT NULL, first_token_ms INTEGER, load_ms INTEGER, attempt TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (invocation, call)
) STRICT, WITHOUT ROWID;
INSERT INTO "usage" VALUES('01a31000-0000-7000-8000-000000000000','01a31001-0000-7000-8000-000000000001','chat','chat',10,0,3,3300,'stop',1800000000000,1800000000005,2,NULL,'');
INSERT INTO "usage" VALUES('01a31010-0000-7000-8000-000000000010','01a31011-0000-7000-8000-000000000011','chat','chat',11,0,3,3450,'stop',1800003600000,1800003600005,2,NULL,'');
INSERT INTO "usage" VALUES('01a31010-0000-7000-8000-000000000010','01a31012-0000-7000-8000-000000000012','chat','chat',11,0,3,3450,'stop',1800003600000,1800003600005,2,NULL,'');
INSERT INTO "usage" VALUES('01a31020-0000-7000-8000-000000000020','01a31021-0000-7000-8000-000000000021','chat','chat',12,0,3,3600,'stop',1800007200000,1800007200005,2,NULL,'');
INSERT INTO "usage" VALUES('01a31030-0000-7000-8000-000000000030','01a31031-0000-7000-8000-000000000031','chat','chat',13,0,3,3750,'stop',1800010800000,1800010800005,2,NULL,'');
CREATE TABLE usage_archive (
    start INTEGER NOT NULL,
    series INTEGER NOT NULL REFERENCES usage_series (id),
    calls INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (start, series)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_series (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL REFERENCES keys (id),
    tenant TEXT NOT NULL,
    function TEXT NOT NULL,
    version TEXT NOT NULL,
    route TEXT NOT NULL,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    price INTEGER NOT NULL,
    UNIQUE (key, tenant, function, version, route, model, kind, price)
) STRICT;
INSERT INTO "usage_series" VALUES(1,'ziinfrjc9h474yns','ziinfrjc9h474yns','generate','','POST /generate','chat','chat',1799999999000);
CREATE TABLE usage_sums (
    period TEXT NOT NULL CHECK (period IN ('hour', 'day', 'month')),
    start INTEGER NOT NULL,
    series INTEGER NOT NULL REFERENCES usage_series (id),
    calls INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (period, start, series)
) STRICT, WITHOUT ROWID;
INSERT INTO "usage_sums" VALUES('day',1799971200,1,5,57,0,15,17550);
INSERT INTO "usage_sums" VALUES('hour',1800000000,1,1,10,0,3,3300);
INSERT INTO "usage_sums" VALUES('hour',1800003600,1,2,22,0,6,6900);
INSERT INTO "usage_sums" VALUES('hour',1800007200,1,1,12,0,3,3600);
INSERT INTO "usage_sums" VALUES('hour',1800010800,1,1,13,0,3,3750);
INSERT INTO "usage_sums" VALUES('month',1798761600,1,5,57,0,15,17550);
CREATE UNIQUE INDEX keys_in_use ON keys (name) WHERE revoked IS NULL;
CREATE INDEX invocations_reserved ON invocations (id) WHERE status = 'reserved';
CREATE INDEX usage_by_time ON usage (started);
CREATE INDEX holds_by_key ON holds (key, amount);
CREATE INDEX alerts_waiting ON alerts (created) WHERE delivered IS NULL;
CREATE INDEX idempotency_by_time ON idempotency (created);
CREATE TRIGGER usage_is_summed AFTER INSERT ON usage BEGIN
    INSERT INTO usage_series (key, tenant, function, version, route, model, kind, price) SELECT key, tenant, function, version, route, model, kind, price FROM (SELECT key, tenant, function, COALESCE(version, '') AS version, route, NEW.model AS model, NEW.kind AS kind,
    COALESCE((SELECT MAX(valid_from) FROM prices WHERE prices.model = NEW.model AND valid_from <= NEW.started), 0) AS price,
    NEW.started AS started, NEW.prompt_tokens AS prompt_tokens, NEW.cached_tokens AS cached_tokens,
    NEW.completion_tokens AS completion_tokens, NEW.cost AS cost
FROM invocations WHERE id = NEW.invocation) WHERE true ON CONFLICT DO NOTHING;
INSERT INTO usage_sums
    SELECT period.name, CASE period.name
    WHEN 'hour' THEN charge.started / 3600000 * 3600
    WHEN 'day' THEN charge.started / 86400000 * 86400
    ELSE unixepoch(charge.started / 1000, 'unixepoch', 'start of month') END, series.id, 1, prompt_tokens, cached_tokens, completion_tokens, cost
    FROM (SELECT key, tenant, function, COALESCE(version, '') AS version, route, NEW.model AS model, NEW.kind AS kind,
    COALESCE((SELECT MAX(valid_from) FROM prices WHERE prices.model = NEW.model AND valid_from <= NEW.started), 0) AS price,
    NEW.started AS started, NEW.prompt_tokens AS prompt_tokens, NEW.cached_tokens AS cached_tokens,
    NEW.completion_tokens AS completion_tokens, NEW.cost AS cost
FROM invocations WHERE id = NEW.invocation) AS charge JOIN usage_series AS series ON series.key = charge.key AND series.tenant = charge.tenant AND series.function = charge.function
    AND series.version = charge.version AND series.route = charge.route AND series.model = charge.model
    AND series.kind = charge.kind AND series.price = charge.price
CROSS JOIN (SELECT 'hour' AS name UNION ALL SELECT 'day' UNION ALL SELECT 'month') AS period WHERE true
    ON CONFLICT (period, start, series) DO UPDATE SET
        calls = calls + 1, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
        cached_tokens = cached_tokens + excluded.cached_tokens,
        completion_tokens = completion_tokens + excluded.completion_tokens, cost = cost + excluded.cost;
END;
CREATE TRIGGER fees_are_summed AFTER UPDATE OF cost ON invocations WHEN OLD.cost = 0 AND NEW.cost > 0 BEGIN
    INSERT INTO usage_series (key, tenant, function, version, route, model, kind, price) SELECT key, tenant, function, version, route, model, kind, price FROM (SELECT NEW.key AS key, NEW.tenant AS tenant, NEW.function AS function, COALESCE(NEW.version, '') AS version,
    NEW.route AS route, '' AS model, 'fee' AS kind,
    COALESCE((SELECT valid_from FROM fees WHERE fees.function IN (NEW.function, '*') AND valid_from <= NEW.started
        ORDER BY fees.function = '*', valid_from DESC LIMIT 1), 0) AS price,
    NEW.started AS started, 0 AS prompt_tokens, 0 AS cached_tokens, 0 AS completion_tokens, NEW.cost AS cost ) WHERE true ON CONFLICT DO NOTHING;
INSERT INTO usage_sums
    SELECT period.name, CASE period.name
    WHEN 'hour' THEN charge.started / 3600000 * 3600
    WHEN 'day' THEN charge.started / 86400000 * 86400
    ELSE unixepoch(charge.started / 1000, 'unixepoch', 'start of month') END, series.id, 1, prompt_tokens, cached_tokens, completion_tokens, cost
    FROM (SELECT NEW.key AS key, NEW.tenant AS tenant, NEW.function AS function, COALESCE(NEW.version, '') AS version,
    NEW.route AS route, '' AS model, 'fee' AS kind,
    COALESCE((SELECT valid_from FROM fees WHERE fees.function IN (NEW.function, '*') AND valid_from <= NEW.started
        ORDER BY fees.function = '*', valid_from DESC LIMIT 1), 0) AS price,
    NEW.started AS started, 0 AS prompt_tokens, 0 AS cached_tokens, 0 AS completion_tokens, NEW.cost AS cost ) AS charge JOIN usage_series AS series ON series.key = charge.key AND series.tenant = charge.tenant AND series.function = charge.function
    AND series.version = charge.version AND series.route = charge.route AND series.model = charge.model
    AND series.kind = charge.kind AND series.price = charge.price
CROSS JOIN (SELECT 'hour' AS name UNION ALL SELECT 'day' UNION ALL SELECT 'month') AS period WHERE true
    ON CONFLICT (period, start, series) DO UPDATE SET
        calls = calls + 1, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
        cached_tokens = cached_tokens + excluded.cached_tokens,
        completion_tokens = completion_tokens + excluded.completion_tokens, cost = cost + excluded.cost;
END;
CREATE INDEX chain_late ON chain (invocation, call) WHERE call IS NOT NULL;
CREATE TRIGGER usage_is_taken_back AFTER DELETE ON usage
WHEN (SELECT status FROM invocations WHERE id = OLD.invocation) = 'reserved' BEGIN
    UPDATE usage_sums SET calls = calls - 1, prompt_tokens = prompt_tokens - OLD.prompt_tokens,
    cached_tokens = cached_tokens - OLD.cached_tokens,
    completion_tokens = completion_tokens - OLD.completion_tokens, cost = cost - OLD.cost
WHERE (period, start, series) IN (
    SELECT period.name, CASE period.name
    WHEN 'hour' THEN charge.started / 3600000 * 3600
    WHEN 'day' THEN charge.started / 86400000 * 86400
    ELSE unixepoch(charge.started / 1000, 'unixepoch', 'start of month') END, series.id
    FROM (SELECT key, tenant, function, COALESCE(version, '') AS version, route, OLD.model AS model, OLD.kind AS kind,
    COALESCE((SELECT MAX(valid_from) FROM prices WHERE prices.model = OLD.model AND valid_from <= OLD.started), 0) AS price,
    OLD.started AS started, OLD.prompt_tokens AS prompt_tokens, OLD.cached_tokens AS cached_tokens,
    OLD.completion_tokens AS completion_tokens, OLD.cost AS cost
FROM invocations WHERE id = OLD.invocation) AS charge JOIN usage_series AS series ON series.key = charge.key AND series.tenant = charge.tenant AND series.function = charge.function
    AND series.version = charge.version AND series.route = charge.route AND series.model = charge.model
    AND series.kind = charge.kind AND series.price = charge.price
CROSS JOIN (SELECT 'hour' AS name UNION ALL SELECT 'day' UNION ALL SELECT 'month') AS period);
DELETE FROM usage_sums WHERE calls = 0 AND (period, start, series) IN (
    SELECT period.name, CASE period.name
    WHEN 'hour' THEN charge.started / 3600000 * 3600
    WHEN 'day' THEN charge.started / 86400000 * 86400
    ELSE unixepoch(charge.started / 1000, 'unixepoch', 'start of month') END, series.id
    FROM (SELECT key, tenant, function, COALESCE(version, '') AS version, route, OLD.model AS model, OLD.kind AS kind,
    COALESCE((SELECT MAX(valid_from) FROM prices WHERE prices.model = OLD.model AND valid_from <= OLD.started), 0) AS price,
    OLD.started AS started, OLD.prompt_tokens AS prompt_tokens, OLD.cached_tokens AS cached_tokens,
    OLD.completion_tokens AS completion_tokens, OLD.cost AS cost
FROM invocations WHERE id = OLD.invocation) AS charge JOIN usage_series AS series ON series.key = charge.key AND series.tenant = charge.tenant AND series.function = charge.function
    AND series.version = charge.version AND series.route = charge.route AND series.model = charge.model
    AND series.kind = charge.kind AND series.price = charge.price
CROSS JOIN (SELECT 'hour' AS name UNION ALL SELECT 'day' UNION ALL SELECT 'month') AS period);
END;
CREATE TRIGGER settlements_are_chained AFTER UPDATE OF status ON invocations
WHEN OLD.status = 'reserved' AND NEW.status <> 'reserved' BEGIN
    INSERT INTO chain (sequence, invocation, call, digest)
        SELECT 1 + COALESCE((SELECT MAX(sequence) FROM chain), (SELECT sequence FROM chain_start)), NEW.id, NULL,
            sha256(COALESCE((SELECT digest FROM chain ORDER BY sequence DESC LIMIT 1), (SELECT digest FROM chain_start)), json_array(NEW.id, NEW.key, NEW.tenant, NEW.function, NEW.version, NEW.route, NEW.started, NEW.status,
            NEW.http_status, NEW.duration_ms, NEW.queue_ms, NEW.cold_start_ms, NEW.first_byte_ms, NEW.cost, (SELECT json_group_array(json(json_array(usage.call, usage.model, usage.kind, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens,
            usage.cost, usage.finish_reason, usage.started, usage.finished))) FROM (SELECT * FROM usage WHERE invocation = NEW.id ORDER BY call) AS usage
                WHERE NOT EXISTS (SELECT 1 FROM chain WHERE chain.invocation = usage.invocation AND chain.call = usage.call))))
        ;
END;
CREATE TRIGGER late_calls_are_chained AFTER INSERT ON usage
WHEN (SELECT status FROM invocations WHERE id = NEW.invocation) <> 'reserved' BEGIN
    INSERT INTO chain (sequence, invocation, call, digest)
        SELECT 1 + COALESCE((SELECT MAX(sequence) FROM chain), (SELECT sequence FROM chain_start)), NEW.invocation, NEW.call,
            sha256(COALESCE((SELECT digest FROM chain ORDER BY sequence DESC LIMIT 1), (SELECT digest FROM chain_start)), json_array(NEW.invocation, json_array(NEW.call, NEW.model, NEW.kind, NEW.prompt_tokens, NEW.cached_tokens, NEW.completion_tokens,
            NEW.cost, NEW.finish_reason, NEW.started, NEW.finished)))
        ;
END;
COMMIT;
