import HTTPTypes
import Ledger

/// What one key's requests may do at a time: how many a minute, how many tokens a minute, how many at once. Events and times in,
/// decisions out.
///
/// How many tokens a request takes is known when it has ended: it may begin while any are left, and what it took is then due.
package struct KeyLimits: Sendable {
    private var requests: TokenBucket?
    private var tokens: TokenBucket?
    package private(set) var running = 0

    package init() {}

    /// Why a request may not begin.
    package enum Refusal: Error, Hashable, Sendable {
        case requests(limit: Int, retryAfter: Duration)
        case tokens(limit: Int, retryAfter: Duration)
        case parallel(limit: Int)
    }

    /// A request wants to begin; one that is let in must be ended.
    package mutating func begin(_ settings: KeySettings, now: ContinuousClock.Instant) throws(Refusal) {
        update(settings, now: now)
        if let limit = settings.maxParallelRequests, running >= limit { throw .parallel(limit: limit) }
        if let requests, requests.wait > .zero { throw .requests(limit: requests.limit, retryAfter: requests.wait) }
        if let tokens, tokens.wait > .zero { throw .tokens(limit: tokens.limit, retryAfter: tokens.wait) }
        requests?.take(1)
        running += 1
    }

    /// A request has ended that took so many tokens.
    package mutating func end(tokens count: Int) {
        tokens?.take(count)
        running -= 1
    }

    private mutating func update(_ settings: KeySettings, now: ContinuousClock.Instant) {
        Self.update(&requests, limit: settings.rpmLimit, now: now)
        Self.update(&tokens, limit: settings.tpmLimit, now: now)
    }

    private static func update(_ bucket: inout TokenBucket?, limit: Int?, now: ContinuousClock.Instant) {
        guard let limit else {
            bucket = nil
            return
        }
        if bucket == nil { bucket = TokenBucket(limit: limit, now: now) }
        bucket?.update(limit: limit, now: now)
    }

    /// Whether nothing is remembered: a key that comes anew is treated the same.
    package mutating func isIdle(now: ContinuousClock.Instant) -> Bool {
        if let limit = requests?.limit { requests?.update(limit: limit, now: now) }
        if let limit = tokens?.limit { tokens?.update(limit: limit, now: now) }
        return running == 0 && (requests?.reset ?? .zero) == .zero && (tokens?.reset ?? .zero) == .zero
    }

    /// OpenAI's `x-ratelimit-*` headers, for the limits there are.
    package var headers: HTTPFields {
        var fields = HTTPFields()
        for (name, bucket) in [("requests", requests), ("tokens", tokens)] {
            guard let bucket else { continue }
            fields[.init("x-ratelimit-limit-\(name)")!] = "\(bucket.limit)"
            fields[.init("x-ratelimit-remaining-\(name)")!] = "\(bucket.remaining)"
            fields[.init("x-ratelimit-reset-\(name)")!] = Self.text(bucket.reset)
        }
        return fields
    }

    /// As OpenAI writes it: `20ms`, `7.66s`, `6m0s`.
    static func text(_ duration: Duration) -> String {
        let milliseconds = Int((duration / .milliseconds(1)).rounded(.up))
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        let (minutes, rest) = milliseconds.quotientAndRemainder(dividingBy: 60_000)
        let seconds = rest % 1000 == 0 ? "\(rest / 1000)s" : "\(Double(rest) / 1000)s"
        return minutes > 0 ? "\(minutes)m\(seconds)" : seconds
    }
}
