import Supervisor
import Testing

/// The pool against a clock made by hand.
@Suite struct FunctionPoolTests {
    let start = ContinuousClock.now
    func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }
    func request(_ number: Int) -> FunctionPool.RequestID { .init(number: number) }
    func worker(_ number: Int) -> FunctionPool.WorkerID { .init(number: number) }
    func pool(min: Int = 0, max: Int = 2, concurrency: Int = 2, idle: Duration = .seconds(1), queue: Int = 1024) -> FunctionPool {
        FunctionPool(scale: .init(min: min, max: max, concurrency: concurrency, idle: idle), longestQueue: queue)
    }

    @Test func firstRequestStartsAWorkerAndGetsIt() {
        var pool = pool()
        #expect(pool.request(request(1), deadline: at(1000), at: at(0)) == [.start(worker(1)), .grant(request(1), worker(1))])
    }

    @Test func workersStartOnlyWhenTheOthersAreFull() {
        var pool = pool()
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        #expect(pool.request(request(2), deadline: at(1000), at: at(0)) == [.grant(request(2), worker(1))])
        #expect(pool.request(request(3), deadline: at(1000), at: at(0)) == [.start(worker(2)), .grant(request(3), worker(2))])
        #expect(pool.request(request(4), deadline: at(1000), at: at(0)) == [.grant(request(4), worker(2))])
        #expect(pool.request(request(5), deadline: at(1000), at: at(0)) == [])
        #expect(pool.waitingCount == 1)
        #expect(pool.release(worker(2), answered: true, at: at(5)) == [.grant(request(5), worker(2))])
    }

    @Test func waitersAreServedInOrderAndLeaveAtTheirDeadline() {
        var pool = pool(max: 1, concurrency: 1)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        _ = pool.request(request(2), deadline: at(50), at: at(0))
        _ = pool.request(request(3), deadline: at(1000), at: at(0))
        #expect(pool.nextEvent == at(50))
        #expect(pool.tick(at: at(50)) == [.refuse(request(2), .deadlinePassed)])
        #expect(pool.release(worker(1), answered: true, at: at(60)) == [.grant(request(3), worker(1))])
    }

    @Test func aClientThatLeftIsNotServed() {
        var pool = pool(max: 1, concurrency: 1)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        _ = pool.request(request(2), deadline: at(1000), at: at(0))
        pool.abandon(request(2))
        #expect(pool.release(worker(1), answered: true, at: at(10)) == [])
    }

    @Test func theQueueIsBounded() {
        var pool = pool(max: 1, concurrency: 1, queue: 1)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        _ = pool.request(request(2), deadline: at(1000), at: at(0))
        #expect(pool.request(request(3), deadline: at(1000), at: at(0)) == [.refuse(request(3), .tooManyWaiting)])
    }

    @Test func anIdleWorkerStopsAfterItsTimeAndNotBefore() {
        var pool = pool()
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        #expect(pool.release(worker(1), answered: true, at: at(100)) == [])
        #expect(pool.nextEvent == at(1100))
        #expect(pool.tick(at: at(1099)) == [])
        #expect(pool.tick(at: at(1100)) == [.stop(worker(1))])
        // While it stops, a new request gets a new worker.
        #expect(pool.request(request(2), deadline: at(3000), at: at(1101)) == [.start(worker(2)), .grant(request(2), worker(2))])
        #expect(pool.exited(worker(1), at: at(1102)) == [])
        #expect(pool.workerCount == 1)
    }

    @Test func theMinimumStaysWarm() {
        var pool = pool(min: 1)
        #expect(pool.tick(at: at(0)) == [.start(worker(1))])
        #expect(pool.tick(at: at(60_000)) == [])
        #expect(pool.exited(worker(1), at: at(60_000)) == [])
        // It died before it answered, so the next start waits a little.
        #expect(pool.tick(at: at(60_100)) == [.start(worker(2))])
    }

    @Test func startsBackOffWhenWorkersDieEarly() {
        var pool = pool(max: 1, concurrency: 1)
        _ = pool.request(request(1), deadline: at(60_000), at: at(0))
        _ = pool.request(request(2), deadline: at(60_000), at: at(0))
        #expect(pool.exited(worker(1), at: at(10)) == [])
        #expect(pool.nextEvent == at(110))
        #expect(pool.tick(at: at(110)) == [.start(worker(2)), .grant(request(2), worker(2))])
        _ = pool.request(request(3), deadline: at(60_000), at: at(110))
        #expect(pool.exited(worker(2), at: at(120)) == [])
        #expect(pool.tick(at: at(320)) == [.start(worker(3)), .grant(request(3), worker(3))])
        _ = pool.request(request(4), deadline: at(60_000), at: at(330))
        // The third in a row: who waits is told, and so is who comes.
        #expect(pool.exited(worker(3), at: at(340)) == [.refuse(request(4), .failing)])
        #expect(pool.request(request(5), deadline: at(60_000), at: at(350)) == [.refuse(request(5), .failing)])
        // After the pause it is tried again.
        #expect(pool.request(request(6), deadline: at(60_000), at: at(800)) == [.start(worker(4)), .grant(request(6), worker(4))])
    }

    @Test func aWorkerThatAnsweredAndDiesIsReplacedAtOnce() {
        var pool = pool(max: 1, concurrency: 1)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        _ = pool.release(worker(1), answered: true, at: at(10))
        _ = pool.request(request(2), deadline: at(1000), at: at(20))
        _ = pool.request(request(3), deadline: at(1000), at: at(20))
        #expect(pool.exited(worker(1), at: at(30)) == [.start(worker(2)), .grant(request(3), worker(2))])
    }

    @Test func aWorkerThatCannotBeReachedGetsNoMore() {
        var pool = pool(max: 2, concurrency: 2)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        #expect(pool.lost(worker(1), at: at(10)) == [])
        #expect(pool.request(request(1), deadline: at(1000), at: at(10)) == [.start(worker(2)), .grant(request(1), worker(2))])
        #expect(pool.exited(worker(1), at: at(11)) == [])
        #expect(pool.workerCount == 1)
    }

    @Test func drainingFinishesWhatCameAndWhatComesLate() {
        var pool = pool(min: 1)
        _ = pool.tick(at: at(0))
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        #expect(pool.drain(at: at(1)) == [])
        #expect(pool.request(request(2), deadline: at(1000), at: at(2)) == [.grant(request(2), worker(1))])
        #expect(pool.release(worker(1), answered: true, at: at(3)) == [])
        #expect(pool.release(worker(1), answered: true, at: at(4)) == [.stop(worker(1))])
        #expect(pool.exited(worker(1), at: at(5)) == [])
        #expect(pool.workerCount == 0 && pool.nextEvent == nil)
    }

    /// Random events for a long time: never more workers than allowed, never more requests on a worker than it takes,
    /// and every request gets exactly one answer.
    @Test func invariantsHoldUnderRandomEvents() {
        var random = SplitMix(seed: 7)
        for _ in 0..<200 {
            let scale = FunctionManifest.Scale(
                min: Int.random(in: 0...1, using: &random), max: Int.random(in: 1...3, using: &random),
                concurrency: Int.random(in: 1...3, using: &random), idle: .milliseconds(20))
            var pool = FunctionPool(scale: scale, longestQueue: 5)
            var alive: [FunctionPool.WorkerID: Int] = [:]
            var stopping: Set<FunctionPool.WorkerID> = []
            var open: Set<FunctionPool.RequestID> = []
            var now = 0
            var next = 0
            func apply(_ actions: [FunctionPool.Action]) {
                for action in actions {
                    switch action {
                    case .start(let id):
                        alive[id] = 0
                        #expect(alive.count <= scale.max)
                    case .stop(let id):
                        #expect(alive[id] == 0)
                        stopping.insert(id)
                    case .grant(let request, let id):
                        #expect(open.remove(request) != nil && !stopping.contains(id))
                        alive[id, default: 99] += 1
                        #expect(alive[id]! <= scale.concurrency)
                    case .refuse(let request, _):
                        #expect(open.remove(request) != nil)
                    }
                }
            }
            for _ in 0..<300 {
                now += Int.random(in: 0...15, using: &random)
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<4:
                    next += 1
                    open.insert(request(next))
                    apply(pool.request(request(next), deadline: at(now + 100), at: at(now)))
                case 4..<8:
                    if let busy = alive.filter({ $0.value > 0 }).keys.min() {
                        alive[busy]! -= 1
                        apply(pool.release(busy, answered: Bool.random(using: &random), at: at(now)))
                    }
                case 8:
                    if let dying = alive.keys.sorted().randomElement(using: &random) {
                        alive[dying] = nil
                        stopping.remove(dying)
                        apply(pool.exited(dying, at: at(now)))
                    }
                default: apply(pool.tick(at: at(now)))
                }
            }
            for worker in alive.keys.sorted() {
                for _ in 0..<(alive[worker] ?? 0) {
                    alive[worker]! -= 1
                    apply(pool.release(worker, answered: true, at: at(now)))
                }
            }
            apply(pool.tick(at: at(now + 100_000)))
            #expect(open.isEmpty)
        }
    }
}

/// A reproducible generator (Steele, Lea and Flood, 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
