/// How fast a function's queue gets shorter, and when who is turned away should come back.
package struct DrainRate {
    package typealias Instant = ContinuousClock.Instant

    private let slots: Double
    private var samples = 0
    /// The average time a worker spends on a request, over about the last thirty.
    private var service = Duration.seconds(1)
    /// Until when the requests that were told to come back fill the queue once they do.
    private var promisedUntil: Instant?

    /// - Parameter slots: Requests that all workers together can take at once.
    package init(slots: Int) {
        self.slots = Double(slots)
    }

    package mutating func record(_ duration: Duration) {
        samples += 1
        service = samples == 1 ? duration : service + (duration - service) / Double(min(samples, 32))
    }

    /// How long it takes until as many waiting requests have been given to workers; `nil` while too little is known.
    package func wait(for count: Int) -> Duration? { samples < 4 ? nil : service * (Double(count) / slots) }

    /// From the end of the wait to the answer.
    package var serviceTime: Duration { service }

    /// When another request can be served, given those that wait and those that were promised a place before. Everyone who is
    /// turned away gets a later time than the one before, so that they do not all come back at once.
    package mutating func promise(after waiting: Int, at now: Instant) -> Duration {
        let turn = service / slots
        let free = max(now + turn * Double(waiting), promisedUntil ?? now)
        promisedUntil = free + turn
        return now.duration(to: free + turn)
    }
}
