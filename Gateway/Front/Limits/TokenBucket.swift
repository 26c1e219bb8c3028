/// So many a minute, the first minute's worth at once: fills evenly, and may be overdrawn by what was not known beforehand.
package struct TokenBucket: Sendable {
    package private(set) var limit: Int
    private var level: Double
    private var updated: ContinuousClock.Instant

    package init(limit: Int, now: ContinuousClock.Instant) {
        self.limit = limit
        level = Double(limit)
        updated = now
    }

    private var perSecond: Double { Double(limit) / 60 }

    /// Brings the level up to date; the limit may have changed. A clock that went back adds nothing and takes nothing away.
    package mutating func update(limit: Int, now: ContinuousClock.Instant) {
        let elapsed = max(.zero, updated.duration(to: now)) / .seconds(1)
        // A higher limit is there at once, as it is for a new bucket.
        if limit != self.limit { level += Double(limit - self.limit) }
        self.limit = limit
        level = min(Double(limit), level + elapsed * perSecond)
        updated = max(updated, now)
    }

    /// What may be taken now.
    package var remaining: Int { max(0, Int(level + 1e-9)) }

    package mutating func take(_ count: Int) { level -= Double(count) }

    /// How long until one may be taken; zero when it may be now.
    package var wait: Duration { level >= 1 - 1e-9 ? .zero : .microseconds(((1 - level) / perSecond * 1e6).rounded()) }

    /// How long until it is full.
    package var reset: Duration { .seconds(max(0, Double(limit) - level) / perSecond) }
}
