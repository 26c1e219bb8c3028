import Synchronization

/// How long this host took to be ready, told with the call that it was started for.
final class LoadTime: Sendable {
    private let duration: Duration
    private let ready = ContinuousClock.now
    private let isClaimed = Mutex(false)

    init(since start: ContinuousClock.Instant) { duration = start.duration(to: ready) }

    /// The time for the first call, if it came at once; `nil` for every other.
    func claim() -> Duration? {
        isClaimed.withLock { isClaimed in
            defer { isClaimed = true }
            return isClaimed || ready.duration(to: .now) > .seconds(10) ? nil : duration
        }
    }
}
