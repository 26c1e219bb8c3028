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
        case tooManyWaiting
        /// The function's workers die before they answer anything.
        case failing
    }

    private struct Worker {
        var running = 0
        var idleSince: Instant?
        var hasAnswered = false
        var isStopping = false
        var isLost = false
    }

    private let scale: FunctionManifest.Scale
    private let longestQueue: Int
    private var workers: [WorkerID: Worker] = [:]
    private var waiting: [(id: RequestID, deadline: Instant)] = []
    private var nextWorker = 1
    /// Workers in a row that died before they answered anything.
    private var earlyDeaths = 0
    private var noStartBefore: Instant?
    private var isDraining = false

    package init(scale: FunctionManifest.Scale, longestQueue: Int = 1024) {
        self.scale = scale
        self.longestQueue = longestQueue
    }

    package var workerCount: Int { workers.count }
    package var waitingCount: Int { waiting.count }
    package var runningCount: Int { workers.values.reduce(0) { $0 + $1.running } }

    /// When ``tick(at:)`` has something to do next.
    package var nextEvent: Instant? {
        let idle = workers.count > minimum ? workers.values.compactMap { $0.isStopping ? nil : $0.idleSince }.min().map { $0 + idleTime } : nil
        let start = waiting.isEmpty && workers.count >= minimum ? nil : noStartBefore
        return [idle, start, waiting.map(\.deadline).min()].compactMap { $0 }.min()
    }

    // MARK: Events

    /// A request asks for a worker.
    package mutating func request(_ id: RequestID, deadline: Instant, at now: Instant) -> [Action] {
        if let noStartBefore, earlyDeaths >= 3, now < noStartBefore, workers.isEmpty { return [.refuse(id, .failing)] }
        guard waiting.count < longestQueue else { return [.refuse(id, .tooManyWaiting)] }
        waiting.append((id, deadline))
        return serve(at: now)
    }

    /// The client of a waiting request left.
    package mutating func abandon(_ id: RequestID) {
        waiting.removeAll { $0.id == id }
    }

    /// A granted request ended.
    /// - Parameter answered: whether the worker produced a response.
    package mutating func release(_ id: WorkerID, answered: Bool, at now: Instant) -> [Action] {
        guard var worker = workers[id] else { return [] }
        worker.running -= 1
        if worker.running == 0 { worker.idleSince = now }
        if answered {
            worker.hasAnswered = true
            earlyDeaths = 0
            noStartBefore = nil
        }
        workers[id] = worker
        return serve(at: now) + stopIdle(at: now)
    }

    /// A granted request found nobody behind the worker's socket: its process has ended or is ending. It gets no more requests.
    package mutating func lost(_ id: WorkerID, at now: Instant) -> [Action] {
        workers[id]?.isLost = true
        return release(id, answered: false, at: now)
    }

    /// A worker's process ended, or could not be started.
    package mutating func exited(_ id: WorkerID, at now: Instant) -> [Action] {
        guard let worker = workers.removeValue(forKey: id) else { return [] }
        if !worker.hasAnswered && !worker.isStopping {
            earlyDeaths += 1
            noStartBefore = now + min(.milliseconds(100) * (1 << min(earlyDeaths - 1, 10)), .seconds(10))
        }
        var actions: [Action] = []
        if earlyDeaths >= 3, workers.isEmpty {
            actions = waiting.map { .refuse($0.id, .failing) }
            waiting = []
        }
        return actions + serve(at: now)
    }

    package mutating func tick(at now: Instant) -> [Action] {
        let late = waiting.filter { $0.deadline <= now }
        waiting.removeAll { $0.deadline <= now }
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

    private mutating func serve(at now: Instant) -> [Action] {
        var actions: [Action] = []
        var served = 0
        for (id, _) in waiting {
            guard let worker = freeWorker() ?? startWorker(at: now, &actions) else { break }
            workers[worker]?.running += 1
            workers[worker]?.idleSince = nil
            actions.append(.grant(id, worker))
            served += 1
        }
        waiting.removeFirst(served)
        while workers.count < minimum, let worker = startWorker(at: now, &actions) { workers[worker]?.idleSince = now }
        return actions
    }

    /// The oldest worker with a free slot, so that the younger ones fall idle and stop when load falls.
    private func freeWorker() -> WorkerID? {
        workers.filter { !$0.value.isStopping && !$0.value.isLost && $0.value.running < scale.concurrency }.keys.min()
    }

    private mutating func startWorker(at now: Instant, _ actions: inout [Action]) -> WorkerID? {
        guard workers.count < scale.max, noStartBefore.map({ $0 <= now }) ?? true else { return nil }
        let id = WorkerID(number: nextWorker)
        nextWorker += 1
        workers[id] = Worker()
        actions.append(.start(id))
        return id
    }

    private mutating func stopIdle(at now: Instant) -> [Action] {
        var actions: [Action] = []
        for id in workers.keys.sorted(by: >) {
            let staying = workers.values.count { !$0.isStopping }
            guard staying > minimum, let worker = workers[id], !worker.isStopping, !worker.isLost, worker.running == 0,
                let since = worker.idleSince, since + idleTime <= now
            else { continue }
            workers[id]?.isStopping = true
            actions.append(.stop(id))
        }
        return actions
    }
}
