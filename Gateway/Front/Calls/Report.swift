import Ledger
import Wire

/// The one line that the log has of every invocation, in the numbers of its ledger row.
struct Report {
    let record: InvocationRecord

    var line: String {
        let usage = record.usage
        var line = Array("REPORT".utf8)
        line.reserveCapacity(512)
        func add(_ name: StaticString, _ value: String) {
            line.append(UInt8(ascii: " "))
            line.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            line.append(UInt8(ascii: "="))
            line.append(contentsOf: value.utf8)
        }
        func add(_ name: StaticString, _ value: Int64?) { add(name, value.map(String.init) ?? "-") }
        add("invocation", record.id.description)
        add("function", record.function)
        add("key", record.key)
        add("status", record.status.rawValue)
        add("http_status", record.httpStatus.map(Int64.init))
        add("duration_ms", record.durationMilliseconds)
        add("billed_ms", record.billedMilliseconds)
        add("queue_ms", record.queueMilliseconds)
        add("cold_start_ms", record.coldStartMilliseconds)
        add("model_load_ms", record.loadMilliseconds)
        add("first_token_ms", record.firstTokenMilliseconds)
        add("first_byte_ms", record.firstByteMilliseconds)
        add("prompt_tokens", Int64(usage.promptTokens))
        add("cached_tokens", Int64(usage.cachedTokens))
        add("completion_tokens", Int64(usage.completionTokens))
        add("cost_usd", record.cost.description)
        add("cache", record.isCached ? "hit" : "-")
        return String(decoding: line, as: UTF8.self)
    }
}
