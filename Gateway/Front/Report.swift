import Ledger
import Wire

/// The one line that the log has of every invocation, in the numbers of its ledger row.
struct Report {
    let record: InvocationRecord
    let isCold: Bool

    var line: String {
        let usage = record.usage
        let fields: [(String, String)] = [
            ("invocation", "\(record.id)"),
            ("function", record.function),
            ("key", record.key),
            ("status", record.status.rawValue),
            ("http_status", record.httpStatus.map { "\($0)" } ?? "-"),
            ("duration_ms", "\(record.durationMilliseconds ?? 0)"),
            ("queue_ms", "\(record.queueMilliseconds ?? 0)"),
            ("cold_start", isCold ? "yes" : "no"),
            ("first_byte_ms", record.firstByteMilliseconds.map { "\($0)" } ?? "-"),
            ("prompt_tokens", "\(usage.promptTokens)"),
            ("cached_tokens", "\(usage.cachedTokens)"),
            ("completion_tokens", "\(usage.completionTokens)"),
            ("cost_usd", "\(usage.cost)"),
        ]
        return "REPORT " + fields.map { "\($0)=\($1)" }.joined(separator: " ")
    }
}
