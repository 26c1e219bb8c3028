/// Demand over time: its averages over a window and over the window's last tenth, exact to a sixtieth of the window.
package struct DemandWindow {
    package typealias Instant = ContinuousClock.Instant

    private static let buckets = 60
    private static let panicBuckets = 6

    private let bucket: Duration
    /// Demand times seconds in each of the last sixty buckets; the present one is at `index`.
    private var sums = [Double](repeating: 0, count: buckets)
    private var index = 0
    private var bucketStart: Instant?
    private var last: Instant?
    private(set) var demand = 0.0
    /// Since when there is none.
    private(set) var quietSince: Instant?

    /// - Parameter length: of the whole window.
    init(length: Duration) {
        bucket = length / Self.buckets
    }

    /// From `now` on the demand is `demand`.
    mutating func observe(_ demand: Double, at now: Instant) {
        advance(to: now)
        if demand > 0 { quietSince = nil } else { quietSince = quietSince ?? now }
        self.demand = demand
    }

    mutating func averages(at now: Instant) -> (stable: Double, panic: Double) {
        advance(to: now)
        let seconds = bucket / .seconds(1)
        var total = 0.0
        var recent = 0.0
        for age in 0..<Self.buckets {
            let sum = sums[(index - age + Self.buckets) % Self.buckets]
            total += sum
            if age < Self.panicBuckets { recent += sum }
        }
        return (total / (seconds * Double(Self.buckets)), recent / (seconds * Double(Self.panicBuckets)))
    }

    private mutating func advance(to now: Instant) {
        guard var start = bucketStart, var from = last else {
            (bucketStart, last) = (now, now)
            return
        }
        if start.duration(to: now) >= bucket * (2 * Self.buckets) {
            // Nothing of what is known is within the window, but the demand that lasted all along.
            sums = [Double](repeating: demand * (bucket / .seconds(1)), count: Self.buckets)
            (bucketStart, last) = (now, now)
            return
        }
        while start.duration(to: now) >= bucket {
            let end = start + bucket
            sums[index] += demand * (from.duration(to: end) / .seconds(1))
            index = (index + 1) % Self.buckets
            sums[index] = 0
            (start, from) = (end, end)
        }
        sums[index] += demand * (from.duration(to: now) / .seconds(1))
        (bucketStart, last) = (start, now)
    }
}
