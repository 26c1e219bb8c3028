import Inference
import Ledger
import Synchronization

/// Counts since the start, under vLLM's names (https://docs.vllm.ai/en/stable/usage/metrics.html).
final class Metrics: Sendable {
    private struct Counts {
        var promptTokens = 0
        var cachedTokens = 0
        var completionTokens = 0
        var draftedTokens = 0
        var acceptedTokens = 0
        var finished: [String: Int] = [:]
        var firstTokens = 0
        var secondsToFirstToken = 0.0
    }

    private let counts = Mutex(Counts())

    func count(_ row: UsageRow) {
        counts.withLock {
            $0.promptTokens += row.promptTokens
            $0.cachedTokens += row.cachedTokens
            $0.completionTokens += row.completionTokens
            $0.finished[row.finishReason ?? "stop", default: 0] += 1
        }
    }

    /// Tokens that were guessed and evaluated, and how many of them answers have.
    func count(drafted: Int, accepted: Int) {
        counts.withLock {
            $0.draftedTokens += drafted
            $0.acceptedTokens += accepted
        }
    }

    func count(timeToFirstToken: Duration) {
        counts.withLock {
            $0.firstTokens += 1
            $0.secondsToFirstToken += timeToFirstToken / .seconds(1)
        }
    }

    /// Prometheus' text format.
    func text(model: String, load: EngineLoad) -> String {
        let counts = counts.withLock { $0 }
        let label = "model_name=\"\(model.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n"))\""
        var text = ""
        func metric(_ name: String, _ type: String, _ samples: [(name: String, labels: String, value: any CustomStringConvertible)]) {
            text += "# TYPE vllm:\(name) \(type)\n"
            for sample in samples { text += "vllm:\(sample.name){\(label)\(sample.labels)} \(sample.value)\n" }
        }
        metric("num_requests_running", "gauge", [("num_requests_running", "", load.running)])
        metric("num_requests_waiting", "gauge", [("num_requests_waiting", "", load.waiting)])
        metric("kv_cache_usage_perc", "gauge", [("kv_cache_usage_perc", "", load.cacheUsage)])
        metric("prefix_cache_queries_total", "counter", [("prefix_cache_queries_total", "", counts.promptTokens)])
        metric("prefix_cache_hits_total", "counter", [("prefix_cache_hits_total", "", counts.cachedTokens)])
        metric("prompt_tokens_total", "counter", [("prompt_tokens_total", "", counts.promptTokens)])
        metric("generation_tokens_total", "counter", [("generation_tokens_total", "", counts.completionTokens)])
        metric("spec_decode_num_draft_tokens_total", "counter", [("spec_decode_num_draft_tokens_total", "", counts.draftedTokens)])
        metric("spec_decode_num_accepted_tokens_total", "counter", [("spec_decode_num_accepted_tokens_total", "", counts.acceptedTokens)])
        metric(
            "request_success_total", "counter",
            counts.finished.sorted { $0.key < $1.key }.map { ("request_success_total", ",finished_reason=\"\($0.key)\"", $0.value) })
        metric("time_to_first_token_seconds", "summary", [
            ("time_to_first_token_seconds_sum", "", counts.secondsToFirstToken),
            ("time_to_first_token_seconds_count", "", counts.firstTokens),
        ])
        return text
    }
}
