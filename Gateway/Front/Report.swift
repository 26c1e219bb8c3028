import Ledger
import Wire

/// The one line that the log has of every invocation, in the numbers of its ledger row.
struct Report {
    let record: InvocationRecord

    var line: String {
        let usage = record.usage
        func milliseconds(_ value: Int64?) -> String { value.map { "\($0)" } ?? "-" }
        let fields: [(String, String)] = [
            ("invocation", "\(record.id)"),
            ("function", record.function),
            ("key", record.key),
            ("status", record.status.rawValue),
            ("http_status", record.httpStatus.map { "\($0)" } ?? "-"),
            ("duration_ms", milliseconds(record.durationMilliseconds)),
            ("billed_ms", milliseconds(record.billedMilliseconds)),
            ("queue_ms", milliseconds(record.queueMilliseconds)),
            ("cold_start_ms", milliseconds(record.coldStartMilliseconds)),
            ("model_load_ms", milliseconds(record.loadMilliseconds)),
            ("first_token_ms", milliseconds(record.firstTokenMilliseconds)),
            ("first_byte_ms", milliseconds(record.firstByteMilliseconds)),
            ("prompt_tokens", "\(usage.promptTokens)"),
            ("cached_tokens", "\(usage.cachedTokens)"),
            ("completion_tokens", "\(usage.completionTokens)"),
            ("cost_usd", "\(record.cost)"),
            ("cache", record.isCached ? "hit" : "-"),
        ]
        return "REPORT " + fields.map { "\($0)=\($1)" }.joined(separator: " ")
    }
}
