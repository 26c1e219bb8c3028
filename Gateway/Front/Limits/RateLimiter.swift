import HTTPTypes
import Ledger
import Synchronization
import Wire

/// Holds every key to its limits. They count from the gateway's start; budgets, which must not, are the ledger's.
final class RateLimiter: Sendable {
    private let keys = Mutex<[String: KeyLimits]>([:])

    /// A request that was let in. End it once.
    struct Ticket: Sendable {
        fileprivate let limiter: RateLimiter
        fileprivate let key: String
        /// For the response.
        let headers: HTTPFields

        func end(tokens: Int) { limiter.end(key, tokens: tokens) }
    }

    /// Lets a request of `key` begin.
    /// - Returns: `nil` when no limit is over the key.
    /// - Throws: ``ResponseError`` (429) with `Retry-After` when one is reached.
    func begin(_ key: String, _ settings: KeySettings) throws(ResponseError) -> Ticket? {
        guard settings.rpmLimit != nil || settings.tpmLimit != nil || settings.maxParallelRequests != nil else { return nil }
        let now = ContinuousClock.now
        let (refusal, headers) = keys.withLock { keys -> (KeyLimits.Refusal?, HTTPFields) in
            if keys.count > 10_000 {
                keys = keys.filter { entry in
                    var limits = entry.value
                    return !limits.isIdle(now: now)
                }
            }
            var limits = keys[key] ?? KeyLimits()
            defer { keys[key] = limits }
            do throws(KeyLimits.Refusal) {
                try limits.begin(settings, now: now)
                return (nil, limits.headers)
            } catch {
                return (error, limits.headers)
            }
        }
        if let refusal { throw ResponseError(refusal, headers) }
        return Ticket(limiter: self, key: key, headers: headers)
    }

    private func end(_ key: String, tokens: Int) {
        keys.withLock { $0[key]?.end(tokens: tokens) }
    }
}

extension ResponseError {
    fileprivate init(_ refusal: KeyLimits.Refusal, _ headers: HTTPFields) {
        let (message, wait) = switch refusal {
        case .requests(let limit, let wait): ("Rate limit reached: this key may make \(limit) requests per minute.", wait)
        case .tokens(let limit, let wait): ("Rate limit reached: this key may use \(limit) tokens per minute.", wait)
        case .parallel(let limit): ("Rate limit reached: this key may make \(limit) requests at once.", Duration.seconds(1))
        }
        self.init(error: .busy("\(message) Try again in \(KeyLimits.text(wait)).", retryAfter: wait), headers: headers)
    }
}
