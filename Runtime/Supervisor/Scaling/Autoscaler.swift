/// How many workers a function should have, in the shape of Knative's autoscaler: demand (requests that wait or run, by weight)
/// over what one worker takes at once, averaged over a stable window and, for the alarm, over a panic window of its tenth.
///
/// Workers start in milliseconds, so more of them are there as soon as the queue needs them, and never more than that; the windows
/// decide how long they stay. In panic, while demand is twice what the stable window was prepared for, and for one window after
/// that, none goes. Without any demand all but `min` go after `idle`.
package struct Autoscaler {
    package typealias Instant = ContinuousClock.Instant

    /// Sixty seconds, but no more than the function's own patience: who sets `idle: 5s` wants memory back sooner.
    private let window: Duration
    private var history: DemandWindow
    private var panicUntil: Instant?

    package init(idle: Duration) {
        window = max(min(.seconds(60), idle), .milliseconds(600))
        history = DemandWindow(length: window)
    }

    /// How often it is worth looking whether fewer workers would do.
    package var interval: Duration { window / 30 }
    /// How long a worker is idle before it may be one too many: the panic window.
    package var patience: Duration { window / 10 }
    package var quietSince: Instant? { history.quietSince }

    package mutating func observe(demand: Double, at now: Instant) { history.observe(demand, at: now) }

    /// - Parameters:
    ///   - workers: those that take requests.
    ///   - isDraining: The function is replaced: nobody stays without work.
    package mutating func decide(
        workers: Int, waiting: Int, running: Int, scale: FunctionManifest.Scale, isDraining: Bool, at now: Instant
    ) -> Decision {
        let (stable, panic) = history.averages(at: now)
        let concurrency = Double(scale.concurrency)
        if panic / concurrency >= 2 * max(1, (stable / concurrency).rounded(.up)) { panicUntil = now + window }
        let quiet = history.quietSince.map { $0.duration(to: now) }
        if let quiet, quiet >= scale.idle { panicUntil = nil }
        return Decision(
            Decision.Inputs(
                workers: workers, waiting: waiting, running: running, demand: history.demand, stable: stable, panic: panic,
                isPanicking: panicUntil.map { $0 > now } ?? false, isQuiet: quiet.map { $0 >= scale.idle } ?? false,
                isDraining: isDraining, minimum: scale.min, maximum: scale.max, concurrency: scale.concurrency))
    }

    /// One decision and everything it depends on, so that a line of the log is enough to make it again.
    package struct Decision: Hashable, Sendable {
        package struct Inputs: Hashable, Sendable {
            package var workers, waiting, running: Int
            /// Weighted requests: now, and on average over the stable and the panic window.
            package var demand, stable, panic: Double
            package var isPanicking: Bool
            /// No demand for as long as `idle` says.
            package var isQuiet: Bool
            package var isDraining: Bool
            package var minimum, maximum, concurrency: Int
        }

        package enum Reason: String, Sendable {
            /// More requests than the workers take.
            case queue
            case minimum
            /// Fewer would do, but demand has just leapt.
            case panic
            /// What the stable window's average needs.
            case stable
            case idle
            case draining
        }

        package let inputs: Inputs
        /// How many workers there should be.
        package let target: Int
        package let reason: Reason

        package init(_ inputs: Inputs) {
            self.inputs = inputs
            (target, reason) = Self.decide(inputs)
        }

        private static func decide(_ inputs: Inputs) -> (Int, Reason) {
            func count(for demand: Double) -> Int { Int((demand / Double(inputs.concurrency)).rounded(.up)) }
            let requests = inputs.waiting + inputs.running
            // Heavy requests ask for more than their number does, but none for more than one worker.
            let needed = min(max(count(for: inputs.demand), count(for: Double(requests))), requests, inputs.maximum)
            if inputs.isDraining { return (needed, .draining) }
            if needed > inputs.workers { return (needed, .queue) }
            if inputs.workers < inputs.minimum { return (inputs.minimum, .minimum) }
            if inputs.isPanicking { return (inputs.workers, .panic) }
            if inputs.isQuiet { return (inputs.minimum, .idle) }
            let kept = max(min(count(for: inputs.stable), inputs.workers), needed, inputs.minimum, min(1, inputs.workers))
            return (kept, .stable)
        }
    }
}
