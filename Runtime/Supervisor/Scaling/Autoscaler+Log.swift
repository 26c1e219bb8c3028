extension Autoscaler.Decision {
    /// The decision as the log has it: `name=value` pairs in this order, averages in full, so that it can be replayed.
    package var line: String {
        let inputs = inputs
        let fields: [(String, String)] = [
            ("workers", "\(inputs.workers)"), ("target", "\(target)"), ("reason", reason.rawValue),
            ("waiting", "\(inputs.waiting)"), ("running", "\(inputs.running)"), ("demand", "\(inputs.demand)"),
            ("stable", "\(inputs.stable)"), ("panic", "\(inputs.panic)"), ("panicking", inputs.isPanicking ? "yes" : "no"),
            ("quiet", inputs.isQuiet ? "yes" : "no"), ("draining", inputs.isDraining ? "yes" : "no"),
            ("min", "\(inputs.minimum)"), ("max", "\(inputs.maximum)"), ("concurrency", "\(inputs.concurrency)"),
        ]
        return fields.map { "\($0)=\($1)" }.joined(separator: " ")
    }

    /// Makes the decision that a line of the log tells of again, from its inputs alone.
    /// - Returns: `nil` when the line tells of none.
    package init?(replaying line: some StringProtocol) {
        var fields: [Substring: Substring] = [:]
        for word in line.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { fields[Substring(parts[0])] = Substring(parts[1]) }
        }
        func number(_ name: Substring) -> Int? { fields[name].flatMap { Int($0) } }
        func average(_ name: Substring) -> Double? { fields[name].flatMap { Double($0) } }
        guard let workers = number("workers"), let waiting = number("waiting"), let running = number("running"),
            let demand = average("demand"), let stable = average("stable"), let panic = average("panic"),
            let minimum = number("min"), let maximum = number("max"), let concurrency = number("concurrency"), concurrency > 0
        else { return nil }
        self.init(
            Inputs(
                workers: workers, waiting: waiting, running: running, demand: demand, stable: stable, panic: panic,
                isPanicking: fields["panicking"] == "yes", isQuiet: fields["quiet"] == "yes", isDraining: fields["draining"] == "yes",
                minimum: minimum, maximum: maximum, concurrency: concurrency))
    }
}
