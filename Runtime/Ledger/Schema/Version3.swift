import GRDB

/// Sums of usage per hour, day and month (UTC), kept by triggers in the transaction that enters the row: always exact, whoever
/// writes. A report adds up a few of these rows, however many calls there were, and they outlive the calls they count.
enum Version3 {
    static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("usage per hour, day and month", foreignKeyChecks: .immediate) { db in
            // What calls have in common, once. `price` is the version of the price they were charged, 0 where there was none.
            // The fee of an invocation has the kind 'fee' and no model. `start` is in Unix seconds.
            try db.execute(sql: """
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

                INSERT INTO usage_series (key, tenant, function, version, route, model, kind, price)
                    SELECT DISTINCT \(seriesColumns) FROM \(charges);
                INSERT INTO usage_sums \(sums(of: charges));

                CREATE TRIGGER usage_is_summed AFTER INSERT ON usage BEGIN
                    \(adding("(\(call("NEW", in: "invocations WHERE id = NEW.invocation")))"))
                END;
                CREATE TRIGGER fees_are_summed AFTER UPDATE OF cost ON invocations WHEN OLD.cost = 0 AND NEW.cost > 0 BEGIN
                    \(adding("(\(fee("NEW", of: "")))"))
                END;
                """)
        }
    }

    /// What `usage_sums` must hold for what is in `usage` and `invocations`.
    static let expectedSums = expectedSums(of: "true")

    /// What the invocations that fulfil `condition` add to `usage_sums`.
    static func expectedSums(of condition: String) -> String { sums(of: charges(of: condition)) }

    // MARK: Everything that costs something, in one shape

    /// A call of `row`, in the invocation that `source` has.
    private static func call(_ row: String, in source: String) -> String {
        """
        SELECT key, tenant, function, COALESCE(version, '') AS version, route, \(row).model AS model, \(row).kind AS kind,
            COALESCE((SELECT MAX(valid_from) FROM prices WHERE prices.model = \(row).model AND valid_from <= \(row).started), 0) AS price,
            \(row).started AS started, \(row).prompt_tokens AS prompt_tokens, \(row).cached_tokens AS cached_tokens,
            \(row).completion_tokens AS completion_tokens, \(row).cost AS cost
        FROM \(source)
        """
    }

    private static func fee(_ row: String, of source: String) -> String {
        """
        SELECT \(row).key AS key, \(row).tenant AS tenant, \(row).function AS function, COALESCE(\(row).version, '') AS version,
            \(row).route AS route, '' AS model, 'fee' AS kind,
            COALESCE((SELECT valid_from FROM fees WHERE fees.function IN (\(row).function, '*') AND valid_from <= \(row).started
                ORDER BY fees.function = '*', valid_from DESC LIMIT 1), 0) AS price,
            \(row).started AS started, 0 AS prompt_tokens, 0 AS cached_tokens, 0 AS completion_tokens, \(row).cost AS cost \(source)
        """
    }

    private static let charges = charges(of: "true")

    /// All charges of the invocations that fulfil `condition`.
    private static func charges(of condition: String) -> String {
        """
        (\(call("usage", in: "usage JOIN invocations ON invocations.id = usage.invocation WHERE \(condition)"))
        UNION ALL \(fee("invocations", of: "FROM invocations WHERE cost > 0 AND \(condition)")))
        """
    }

    // MARK: Adding up

    private static let seriesColumns = "key, tenant, function, version, route, model, kind, price"
    private static let series = """
        JOIN usage_series AS series ON series.key = charge.key AND series.tenant = charge.tenant AND series.function = charge.function
            AND series.version = charge.version AND series.route = charge.route AND series.model = charge.model
            AND series.kind = charge.kind AND series.price = charge.price
        CROSS JOIN (SELECT 'hour' AS name UNION ALL SELECT 'day' UNION ALL SELECT 'month') AS period
        """
    private static let start = """
        CASE period.name
            WHEN 'hour' THEN charge.started / 3600000 * 3600
            WHEN 'day' THEN charge.started / 86400000 * 86400
            ELSE unixepoch(charge.started / 1000, 'unixepoch', 'start of month') END
        """

    private static func sums(of charges: String) -> String {
        """
        SELECT period.name AS period, \(start) AS start, series.id AS series, COUNT(*) AS calls, SUM(prompt_tokens) AS prompt_tokens,
            SUM(cached_tokens) AS cached_tokens, SUM(completion_tokens) AS completion_tokens, SUM(cost) AS cost
        FROM \(charges) AS charge \(series) GROUP BY 1, 2, 3
        """
    }

    /// Statements that take a call, which is `row` and is no more, back from its series' sums.
    static func takingBack(_ row: String) -> String {
        let sums = """
            (period, start, series) IN (
                SELECT period.name, \(start), series.id
                FROM (\(call(row, in: "invocations WHERE id = \(row).invocation"))) AS charge \(series))
            """
        return """
            UPDATE usage_sums SET calls = calls - 1, prompt_tokens = prompt_tokens - \(row).prompt_tokens,
                cached_tokens = cached_tokens - \(row).cached_tokens,
                completion_tokens = completion_tokens - \(row).completion_tokens, cost = cost - \(row).cost
            WHERE \(sums);
            DELETE FROM usage_sums WHERE calls = 0 AND \(sums);
            """
    }

    /// Statements that add one charge to its series' sums.
    private static func adding(_ charge: String) -> String {
        """
        INSERT INTO usage_series (\(seriesColumns)) SELECT \(seriesColumns) FROM \(charge) WHERE true ON CONFLICT DO NOTHING;
        INSERT INTO usage_sums
            SELECT period.name, \(start), series.id, 1, prompt_tokens, cached_tokens, completion_tokens, cost
            FROM \(charge) AS charge \(series) WHERE true
            ON CONFLICT (period, start, series) DO UPDATE SET
                calls = calls + 1, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
                cached_tokens = cached_tokens + excluded.cached_tokens,
                completion_tokens = completion_tokens + excluded.completion_tokens, cost = cost + excluded.cost;
        """
    }
}
