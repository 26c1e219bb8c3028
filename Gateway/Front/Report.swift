import Ledger

/// The one line that the log has of every invocation, in the numbers of its ledger row.
struct Report {
    let record: InvocationRecord
    let outcome: FunctionCall.Outcome
    let key: String

    var line: String {
        let usage = record.usage
        let fields: [(String, String)] = [
            ("invocation", record.id),
            ("function", record.function),
            ("key", key),
            ("status", record.status.rawValue),
            ("http_status", "\(outcome.httpStatus ?? 0)"),
            ("duration_ms", "\(record.durationMilliseconds ?? 0)"),
            ("queue_ms", "\(outcome.queued.milliseconds)"),
            ("cold_start", outcome.isCold ? "yes" : "no"),
            ("first_byte_ms", outcome.timeToFirstByte.map { "\($0.milliseconds)" } ?? "-"),
            ("prompt_tokens", "\(usage.promptTokens)"),
            ("cached_tokens", "\(usage.cachedTokens)"),
            ("completion_tokens", "\(usage.completionTokens)"),
            ("cost_usd", "\(usage.cost)"),
        ]
        return "REPORT " + fields.map { "\($0)=\($1)" }.joined(separator: " ")
    }
}
