/// Decides which workers of one function version run and which request goes to which: events and a time in, actions out.
///
/// A worker's socket is bound before its process starts, so a starting worker takes requests at once: they wait in the
/// socket's backlog. A request waits here only while every worker is full and no more may be started.
package struct FunctionPool {
    package typealias Instant = ContinuousClock.Instant

    package struct WorkerID: Hashable, Comparable, Sendable, CustomStringConvertible {
        package let number: Int
        package init(number: Int) { self.number = number }
        package static func < (a: Self, b: Self) -> Bool { a.number < b.number }
        package var description: String { "\(number)" }
    }

    package struct RequestID: Hashable, Sendable {
        package let number: Int
        package init(number: Int) { self.number = number }
    }

    package enum Action: Hashable {
        case start(WorkerID)
        /// The worker has no request and gets none any more.
        case stop(WorkerID)
        case grant(RequestID, WorkerID)
        case refuse(RequestID, Refusal)
    }

    package enum Refusal: Hashable, Sendable {
        case deadlinePassed
        /// The queue is full, or too long for the request's deadline. It can be served after this time.
        case busy(retryAfter: Duration)
        /// The function's workers die before they answer anything.
        case failing
    }

    /// How a granted request ended.
    package enum Ending: Sendable {
        /// The worker produced a response.
        case answered
        case unanswered
        /// The worker hangs or takes no more requests on its connections: it gets no more requests and is replaced.
        case unusable
        /// The worker cannot be reached, went away in mid-request or does not speak the protocol: it has died, or is as good as
        /// dead. It is replaced, too, and counts as one that died.
        case broken
    }

    private struct Worker {
        let id: WorkerID
        var running = 0
        /// The weights of what runs.
        var load = 0.0
        var served = 0
        /// Since when it has nothing to do; `nil` while it has.
        var idleSince: Instant?
        var hasAnswered = false
        var isStopping = false
        /// Gets no more requests and stops after its last one.
        var isRetired = false
        var isBroken = false
        var isUsable: Bool { !isStopping && !isRetired }
    }

    private struct Running {
        let worker: WorkerID
        let weight: Double
        let granted: Instant
    }

    private let scale: FunctionManifest.Scale
    private let longestQueue: Int
    private let maxRequests: Int?
    /// In the order of their start.
    private var workers: [Worker] = []
    private var queue = FairQueue()
    private var running: [RequestID: Running] = [:]
    private var scaler: Autoscaler
    private var drainRate: DrainRate
    private var nextWorker = 1
    /// Times in a row that workers died before they answered anything.
    private var earlyDeaths = 0
    private var noStartBefore: Instant?
    private var lastLook: Instant?
    private var isDraining = false
    /// What was decided since they were last taken, for the log.
    private var decisions: [Autoscaler.Decision] = []

    /// - Parameters:
    ///   - maxRequests: after so many a worker is replaced.
    package init(scale: FunctionManifest.Scale, maxRequests: Int? = nil, longestQueue: Int = 1024) {
        self.scale = scale
        self.maxRequests = maxRequests
        self.longestQueue = longestQueue
        scaler = Autoscaler(idle: scale.idle)
        drainRate = DrainRate(slots: scale.max * scale.concurrency)
    }

    package var workerCount: Int { workers.count }
    package var waitingCount: Int { queue.count }
    package var runningCount: Int { running.count }

    package mutating func takeDecisions() -> [Autoscaler.Decision] {
        defer { decisions = [] }
        return decisions
    }

    /// When ``tick(at:)`` has something to do next.
    package var nextEvent: Instant? {
        let start = queue.isEmpty && usableCount >= minimum ? nil : noStartBefore
        var next = nextLook
        for other in [start, queue.earliestDeadline] { if let other { next = min(next ?? other, other) } }
        return next
    }

    private var nextLook: Instant? {
        guard usableCount > minimum else { return nil }
        let idle = scaler.quietSince.map { $0 + idleTime }
        // One worker stays as long as anything happens; of several, some may be too many.
        guard usableCount > 1, let last = lastLook, workers.contains(where: { $0.isUsable && $0.running == 0 }) else { return idle }
        return min(idle ?? last + scaler.interval, last + scaler.interval)
    }

    // MARK: Events

    /// A request asks for a worker.
    /// - Parameters:
    ///   - key: whose it is; the keys share the workers.
    ///   - weight: 1 for a usual request, more for one that works longer.
    package mutating func request(_ id: RequestID, key: String = "", weight: Double = 1, deadline: Instant, at now: Instant) -> [Action] {
        if let noStartBefore, earlyDeaths >= 3, now < noStartBefore, workers.isEmpty { return [.refuse(id, .failing)] }
        // The usual case: nobody waits, and a worker has room.
        let demand = demand + weight
        if queue.isEmpty, usableCount >= minimum, !isUsedUp(by: demand), let index = freeWorker(for: weight) {
            scaler.observe(demand: demand, at: now)
            return [grant(id, weight, to: index, at: now)]
        }
        if !queue.isEmpty, let wait = drainRate.wait(for: queue.countAhead(of: key) + 1), now + wait + drainRate.serviceTime > deadline {
            return [.refuse(id, .busy(retryAfter: drainRate.promise(after: queue.count, at: now)))]
        }
        var actions: [Action] = []
        if queue.count >= longestQueue {
            let retryAfter = drainRate.promise(after: queue.count, at: now)
            // The key that has the most gives way, so that its burst does not shut out the others.
            guard let last = queue.newest(ofMoreThan: key) else { return [.refuse(id, .busy(retryAfter: retryAfter))] }
            queue.remove(last.id)
            actions.append(.refuse(last.id, .busy(retryAfter: retryAfter)))
        }
        queue.append(FairQueue.Entry(id: id, key: key, weight: weight, deadline: deadline))
        return actions + serve(at: now)
    }

    /// The client of a waiting request left.
    package mutating func abandon(_ id: RequestID, at now: Instant) {
        queue.remove(id)
        scaler.observe(demand: demand, at: now)
    }

    /// A granted request ended.
    package mutating func release(_ id: RequestID, _ ending: Ending, at now: Instant) -> [Action] {
        guard let ended = running.removeValue(forKey: id) else { return [] }
        if let index = workers.firstIndex(where: { $0.id == ended.worker }) {
            workers[index].running -= 1
            workers[index].load -= ended.weight
            if workers[index].running == 0 { (workers[index].load, workers[index].idleSince) = (0, now) }
            switch ending {
            case .answered:
                workers[index].hasAnswered = true
                earlyDeaths = 0
                noStartBefore = nil
                drainRate.record(ended.granted.duration(to: now))
            case .unanswered: break
            case .unusable: workers[index].isRetired = true
            case .broken: (workers[index].isRetired, workers[index].isBroken) = (true, true)
            }
        }
        return serve(at: now) + stopIdle(at: now)
    }

    /// A worker's process ended, or could not be started.
    package mutating func exited(_ id: WorkerID, at now: Instant) -> [Action] {
        guard let index = workers.firstIndex(where: { $0.id == id }) else { return [] }
        let worker = workers.remove(at: index)
        // Several that were started together and die together have died of one cause.
        if !worker.hasAnswered, !worker.isStopping || worker.isBroken, noStartBefore.map({ $0 <= now }) ?? true {
            earlyDeaths += 1
            noStartBefore = now + min(.milliseconds(100) * (1 << min(earlyDeaths - 1, 10)), .seconds(10))
        }
        var actions: [Action] = []
        if earlyDeaths >= 3, workers.isEmpty { actions = queue.removeAll().map { .refuse($0.id, .failing) } }
        return actions + serve(at: now)
    }

    package mutating func tick(at now: Instant) -> [Action] {
        let late = queue.removeAll(before: now)
        lastLook = now
        if let pause = noStartBefore, pause <= now { noStartBefore = nil }
        return late.map { .refuse($0.id, .deadlinePassed) } + serve(at: now) + stopIdle(at: now)
    }

    /// This version is replaced or removed: workers stop as soon as they have nothing to do.
    /// Requests that were routed here before still run.
    package mutating func drain(at now: Instant) -> [Action] {
        isDraining = true
        return stopIdle(at: now)
    }

    // MARK: Decisions

    private var minimum: Int { isDraining ? 0 : scale.min }
    private var idleTime: Duration { isDraining ? .zero : scale.idle }
    private var usableCount: Int { workers.reduce(0) { $0 + ($1.isUsable ? 1 : 0) } }

    /// What runs on workers that are about to go needs no worker.
    private var demand: Double { workers.reduce(queue.weight) { $0 + ($1.isUsable ? $1.load : 0) } }

    private mutating func decide(at now: Instant) -> Autoscaler.Decision {
        let running = workers.reduce(0) { $0 + ($1.isUsable ? $1.running : 0) }
        return scaler.decide(
            workers: usableCount, waiting: queue.count, running: running, scale: scale, isDraining: isDraining, at: now)
    }

    private mutating func serve(at now: Instant) -> [Action] {
        let demand = demand
        scaler.observe(demand: demand, at: now)
        var actions: [Action] = []
        if usableCount < minimum || (!queue.isEmpty && (isUsedUp(by: demand) || freeWorker(for: queue.weight) == nil)) {
            startWorkers(at: now, &actions)
        }
        while let next = queue.first, let index = freeWorker(for: next.weight) {
            _ = queue.popFirst()
            actions.append(grant(next.id, next.weight, to: index, at: now))
            // Its place is taken by another only when the queue needs one.
            if workers[index].isRetired, !queue.isEmpty { startWorkers(at: now, &actions) }
        }
        return actions
    }

    private func isUsedUp(by demand: Double) -> Bool { demand > Double(usableCount * scale.concurrency) }

    private mutating func grant(_ id: RequestID, _ weight: Double, to index: Int, at now: Instant) -> Action {
        workers[index].running += 1
        workers[index].load += weight
        workers[index].idleSince = nil
        workers[index].served += 1
        if let maxRequests, workers[index].served >= maxRequests { workers[index].isRetired = true }
        running[id] = Running(worker: workers[index].id, weight: weight, granted: now)
        return .grant(id, workers[index].id)
    }

    /// The oldest worker that has room, so that the younger ones fall idle and stop when load falls; where weight
    /// leaves room nowhere, the one with the least of it that has a slot.
    private func freeWorker(for weight: Double) -> Int? {
        var lightest: Int?
        for (index, worker) in workers.enumerated() where worker.isUsable && worker.running < scale.concurrency {
            if worker.running == 0 || worker.load + weight <= Double(scale.concurrency) { return index }
            if lightest.map({ worker.load < workers[$0].load }) ?? true { lightest = index }
        }
        return lightest
    }

    private mutating func startWorkers(at now: Instant, _ actions: inout [Action]) {
        if let pause = noStartBefore {
            guard pause <= now else { return }
            noStartBefore = nil
        }
        let decision = decide(at: now)
        var count = min(decision.target - decision.inputs.workers, scale.max - workers.count)
        // After a death without an answer one shall show that it lives.
        if earlyDeaths > 0 { count = workers.contains { !$0.hasAnswered } ? 0 : min(count, 1) }
        guard count > 0 else { return }
        decisions.append(decision)
        for _ in 0..<count {
            workers.append(Worker(id: WorkerID(number: nextWorker), idleSince: now))
            nextWorker += 1
            actions.append(.start(workers[workers.count - 1].id))
        }
    }

    private mutating func stopIdle(at now: Instant) -> [Action] {
        var actions: [Action] = []
        for index in workers.indices where workers[index].isRetired && !workers[index].isStopping && workers[index].running == 0 {
            workers[index].isStopping = true
            actions.append(.stop(workers[index].id))
        }
        if usableCount > minimum, workers.contains(where: { $0.isUsable && $0.running == 0 }) {
            lastLook = lastLook ?? now
            let decision = decide(at: now)
            var surplus = decision.inputs.workers - decision.target
            let before = actions.count
            // A short rest between two requests makes no worker one too many.
            let rest = decision.reason == .stable ? scaler.patience : .zero
            for index in workers.indices.reversed() where surplus > 0 && workers[index].isUsable {
                guard let idleSince = workers[index].idleSince, idleSince + rest <= now else { continue }
                workers[index].isStopping = true
                actions.append(.stop(workers[index].id))
                surplus -= 1
            }
            if actions.count > before { decisions.append(decision) }
        }
        return actions
    }
}
