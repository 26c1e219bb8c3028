import Supervisor
import Testing

/// The pool against a clock made by hand.
@Suite struct FunctionPoolTests {
    let start = ContinuousClock.now
    func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }
    func request(_ number: Int) -> FunctionPool.RequestID { .init(number: number) }
    func worker(_ number: Int) -> FunctionPool.WorkerID { .init(number: number) }
    func pool(
        min: Int = 0, max: Int = 2, concurrency: Int = 2, idle: Duration = .seconds(1), queue: Int = 1024, maxRequests: Int? = nil
    ) -> FunctionPool {
        FunctionPool(
            scale: .init(min: min, max: max, concurrency: concurrency, idle: idle), maxRequests: maxRequests, longestQueue: queue)
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
        #expect(pool.release(request(3), .answered, at: at(5)) == [.grant(request(5), worker(2))])
    }

    @Test func waitersAreServedInOrderAndLeaveAtTheirDeadline() {
        var pool = pool(max: 1, concurrency: 1)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        _ = pool.request(request(2), deadline: at(50), at: at(0))
        _ = pool.request(request(3), deadline: at(1000), at: at(0))
        #expect(pool.nextEvent == at(50))
        #expect(pool.tick(at: at(50)) == [.refuse(request(2), .deadlinePassed)])
        #expect(pool.release(request(1), .answered, at: at(60)) == [.grant(request(3), worker(1))])
    }

    @Test func aClientThatLeftIsNotServed() {
        var pool = pool(max: 1, concurrency: 1)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        _ = pool.request(request(2), deadline: at(1000), at: at(0))
        pool.abandon(request(2), at: at(5))
        #expect(pool.release(request(1), .answered, at: at(10)) == [])
    }

    // MARK: The queue

    /// Behind another key's burst of forty, a single call is the next: its key has had nothing yet.
    @Test func aBurstDoesNotDelayAnothersSingleCall() {
        var pool = pool(max: 1, concurrency: 1)
        for number in 1...40 { _ = pool.request(request(number), key: "many", deadline: at(60_000), at: at(0)) }
        _ = pool.request(request(100), key: "one", deadline: at(60_000), at: at(1))
        #expect(pool.release(request(1), .answered, at: at(10)) == [.grant(request(100), worker(1))])
        #expect(pool.release(request(100), .answered, at: at(20)) == [.grant(request(2), worker(1))])
    }

    /// Keys with the same to do get the same, whoever came first; within a key it is first come, first served.
    @Test func keysTakeTurnsByWeight() {
        var pool = pool(max: 1, concurrency: 1)
        _ = pool.request(request(0), deadline: at(60_000), at: at(0))
        for number in 1...30 { _ = pool.request(request(number), key: "heavy", weight: 3, deadline: at(60_000), at: at(0)) }
        for number in 31...60 { _ = pool.request(request(number), key: "light", deadline: at(60_000), at: at(0)) }
        var order: [Int] = []
        var running = request(0)
        while case .grant(let next, _)? = pool.release(running, .answered, at: at(1)).first {
            order.append(next.number)
            running = next
        }
        #expect(order.count == 60)
        let heavy = order.prefix(24).filter { $0 <= 30 }, light = order.prefix(24).filter { $0 > 30 }
        #expect(heavy.count == 6 && light.count == 18)
        #expect(heavy == heavy.sorted() && light == light.sorted())
    }

    @Test func aFullQueueRefusesTheKeyThatHasMost() {
        var pool = pool(max: 1, concurrency: 1, queue: 3)
        for number in 1...4 { _ = pool.request(request(number), key: "many", deadline: at(60_000), at: at(0)) }
        guard case .refuse(request(5), .busy)? = pool.request(request(5), key: "many", deadline: at(60_000), at: at(0)).first
        else { return #expect(Bool(false), "the burst is not refused") }
        guard case .refuse(request(4), .busy)? = pool.request(request(6), key: "one", deadline: at(60_000), at: at(0)).first
        else { return #expect(Bool(false), "the burst does not give way") }
        #expect(pool.release(request(1), .answered, at: at(1)) == [.grant(request(6), worker(1))])
        #expect(pool.release(request(6), .answered, at: at(2)) == [.grant(request(2), worker(1))])
    }

    /// Requests take 100 ms on two slots: who is told to come back finds room when it does.
    @Test func whoIsRefusedIsToldWhenToComeBack() {
        var pool = pool(max: 1, concurrency: 2, queue: 10)
        var number = 0
        for _ in 0..<4 {
            let (one, two) = (request(number + 1), request(number + 2))
            _ = pool.request(one, deadline: at(60_000), at: at(number * 50))
            _ = pool.request(two, deadline: at(60_000), at: at(number * 50))
            _ = pool.release(one, .answered, at: at(number * 50 + 100))
            _ = pool.release(two, .answered, at: at(number * 50 + 100))
            number += 2
        }
        for extra in 1...12 { _ = pool.request(request(100 + extra), deadline: at(60_000), at: at(1000)) }
        var waits: [Duration] = []
        for extra in 1...3 {
            if case .refuse(_, .busy(let wait))? = pool.request(request(200 + extra), deadline: at(60_000), at: at(1000)).first {
                waits.append(wait)
            }
        }
        // Ten wait, two leave every 100 ms, and each of the refused has a turn of its own.
        #expect(waits == [.milliseconds(550), .milliseconds(600), .milliseconds(650)])
    }

    @Test func whatCannotBeServedInTimeIsRefusedAtOnce() {
        var pool = pool(max: 1, concurrency: 1)
        for number in 1...4 {
            _ = pool.request(request(number), deadline: at(60_000), at: at(number * 1000))
            _ = pool.release(request(number), .answered, at: at(number * 1000 + 100))
        }
        for number in 11...13 { _ = pool.request(request(number), deadline: at(60_000), at: at(10_000)) }
        // Two wait, so that the third would be through after 400 ms.
        guard case .refuse(_, .busy(let wait))? = pool.request(request(20), deadline: at(10_350), at: at(10_000)).first
        else { return #expect(Bool(false), "it is not refused") }
        #expect(wait == .milliseconds(300))
        #expect(pool.request(request(21), deadline: at(10_450), at: at(10_000)) == [])
    }

    // MARK: Scale

    @Test func aBurstStartsAllWorkersThatItNeedsAndNoMore() {
        var pool = pool(max: 8, concurrency: 4)
        var started = 0
        for number in 1...18 {
            started += pool.request(request(number), deadline: at(1000), at: at(number)).count { if case .start = $0 { true } else { false } }
            #expect(started == (number + 3) / 4)
        }
    }

    @Test func anIdleWorkerStopsAfterItsTimeAndNotBefore() {
        var pool = pool()
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        #expect(pool.release(request(1), .answered, at: at(100)) == [])
        #expect(pool.nextEvent == at(1100))
        #expect(pool.tick(at: at(1099)) == [])
        #expect(pool.tick(at: at(1100)) == [.stop(worker(1))])
        // While it stops, a new request gets a new worker.
        #expect(pool.request(request(2), deadline: at(3000), at: at(1101)) == [.start(worker(2)), .grant(request(2), worker(2))])
        #expect(pool.exited(worker(1), at: at(1102)) == [])
        #expect(pool.workerCount == 1)
    }

    /// What a burst has started goes when a window's average needs less, while one call at a time goes on.
    @Test func fewerWorkersStayWhenLessIsAskedFor() {
        var pool = pool(max: 8, concurrency: 1, idle: .seconds(60))
        for number in 1...8 { _ = pool.request(request(number), deadline: at(60_000), at: at(0)) }
        for number in 1...8 { _ = pool.release(request(number), .answered, at: at(4000)) }
        var counts: [Int] = []
        var number = 8
        for second in 4..<200 {
            number += 1
            _ = pool.request(request(number), deadline: at(1_000_000), at: at(second * 1000))
            _ = pool.release(request(number), .answered, at: at(second * 1000 + 500))
            for action in pool.tick(at: at(second * 1000 + 600)) { if case .stop(let id) = action { _ = pool.exited(id, at: at(second * 1000 + 601)) } }
            counts.append(pool.workerCount)
        }
        // In panic for the rest of its window, then down step by step, and never to none.
        #expect(counts[50] == 8 && counts.last == 1 && counts.min() == 1)
        #expect(zip(counts, counts.dropFirst()).allSatisfy { $0 >= $1 })
    }

    @Test func theMinimumStaysWarm() {
        var pool = pool(min: 1)
        #expect(pool.tick(at: at(0)) == [.start(worker(1))])
        #expect(pool.tick(at: at(60_000)) == [])
        #expect(pool.exited(worker(1), at: at(60_000)) == [])
        // It died before it answered, so the next start waits a little.
        #expect(pool.tick(at: at(60_100)) == [.start(worker(2))])
    }

    // MARK: Faults

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

    @Test func afterAnEarlyDeathOneWorkerIsTriedAtATime() {
        var pool = pool(max: 4, concurrency: 1)
        for number in 1...8 { _ = pool.request(request(number), deadline: at(60_000), at: at(0)) }
        for number in 1...4 { _ = pool.exited(worker(number), at: at(10)) }
        #expect(pool.tick(at: at(110)) == [.start(worker(5)), .grant(request(5), worker(5))])
        #expect(pool.tick(at: at(200)) == [])
        let actions = pool.release(request(5), .answered, at: at(210))
        #expect(actions.count { if case .start = $0 { true } else { false } } == 2)
        #expect(actions.count { if case .grant = $0 { true } else { false } } == 3)
    }

    @Test func aWorkerThatAnsweredAndDiesIsReplacedAtOnce() {
        var pool = pool(max: 1, concurrency: 1)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        _ = pool.release(request(1), .answered, at: at(10))
        _ = pool.request(request(2), deadline: at(1000), at: at(20))
        _ = pool.request(request(3), deadline: at(1000), at: at(20))
        #expect(pool.exited(worker(1), at: at(30)) == [.start(worker(2)), .grant(request(3), worker(2))])
    }

    @Test func anUnusableWorkerGetsNoMoreAndStopsAfterItsOthers() {
        var pool = pool(max: 2, concurrency: 2)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        _ = pool.request(request(2), deadline: at(1000), at: at(0))
        #expect(pool.release(request(1), .unusable, at: at(10)) == [])
        #expect(pool.request(request(3), deadline: at(1000), at: at(10)) == [.start(worker(2)), .grant(request(3), worker(2))])
        #expect(pool.release(request(2), .answered, at: at(11)) == [.stop(worker(1))])
        #expect(pool.exited(worker(1), at: at(12)) == [])
        #expect(pool.workerCount == 1)
    }

    /// Its process may end a moment after its connection did.
    @Test func aBrokenWorkerGetsNoMoreAndCountsAsDead() {
        var pool = pool(max: 1, concurrency: 1)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        #expect(pool.release(request(1), .broken, at: at(10)) == [.stop(worker(1))])
        #expect(pool.request(request(2), deadline: at(1000), at: at(11)) == [])
        #expect(pool.exited(worker(1), at: at(12)) == [])
        #expect(pool.nextEvent == at(112))
        #expect(pool.tick(at: at(112)) == [.start(worker(2)), .grant(request(2), worker(2))])
    }

    @Test func aWorkerIsReplacedAfterItsLastRequest() {
        var pool = pool(max: 1, concurrency: 1, maxRequests: 2)
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        #expect(pool.release(request(1), .answered, at: at(1)) == [])
        #expect(pool.request(request(2), deadline: at(1000), at: at(2)) == [.grant(request(2), worker(1))])
        #expect(pool.request(request(3), deadline: at(1000), at: at(3)) == [])
        #expect(pool.release(request(2), .answered, at: at(4)) == [.stop(worker(1))])
        #expect(pool.exited(worker(1), at: at(5)) == [.start(worker(2)), .grant(request(3), worker(2))])
    }

    @Test func drainingFinishesWhatCameAndWhatComesLate() {
        var pool = pool(min: 1)
        _ = pool.tick(at: at(0))
        _ = pool.request(request(1), deadline: at(1000), at: at(0))
        #expect(pool.drain(at: at(1)) == [])
        #expect(pool.request(request(2), deadline: at(1000), at: at(2)) == [.grant(request(2), worker(1))])
        #expect(pool.release(request(1), .answered, at: at(3)) == [])
        #expect(pool.release(request(2), .answered, at: at(4)) == [.stop(worker(1))])
        #expect(pool.exited(worker(1), at: at(5)) == [])
        #expect(pool.workerCount == 0 && pool.nextEvent == nil)
    }

    /// Random events for a long time: never more workers than allowed, never more requests on a worker than it takes, every
    /// request gets exactly one answer, and every decision can be made again from its line in the log.
    @Test func invariantsHoldUnderRandomEvents() {
        var random = SplitMix(seed: 7)
        var decisions: [Autoscaler.Decision] = []
        for _ in 0..<200 {
            let scale = FunctionManifest.Scale(
                min: Int.random(in: 0...1, using: &random), max: Int.random(in: 1...3, using: &random),
                concurrency: Int.random(in: 1...3, using: &random), idle: .milliseconds(20))
            var pool = FunctionPool(scale: scale, maxRequests: Bool.random(using: &random) ? 7 : nil, longestQueue: 5)
            var alive: [FunctionPool.WorkerID: Set<FunctionPool.RequestID>] = [:]
            var stopping: Set<FunctionPool.WorkerID> = []
            var open: Set<FunctionPool.RequestID> = []
            var now = 0
            var next = 0
            func apply(_ actions: [FunctionPool.Action]) {
                for action in actions {
                    switch action {
                    case .start(let id):
                        alive[id] = []
                        #expect(alive.count <= scale.max)
                    case .stop(let id):
                        #expect(alive[id]?.isEmpty == true)
                        stopping.insert(id)
                    case .grant(let request, let id):
                        #expect(open.remove(request) != nil && !stopping.contains(id))
                        alive[id, default: []].insert(request)
                        #expect(alive[id]!.count <= scale.concurrency)
                    case .refuse(let request, _):
                        #expect(open.remove(request) != nil)
                    }
                }
                decisions += pool.takeDecisions()
            }
            func release(_ request: FunctionPool.RequestID, of worker: FunctionPool.WorkerID, _ ending: FunctionPool.Ending) {
                alive[worker]?.remove(request)
                apply(pool.release(request, ending, at: at(now)))
            }
            for _ in 0..<300 {
                now += Int.random(in: 0...15, using: &random)
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<4:
                    next += 1
                    open.insert(request(next))
                    apply(pool.request(
                        request(next), key: "\(next % 3)", weight: Double.random(in: 1...4, using: &random), deadline: at(now + 100), at: at(now)))
                case 4..<8:
                    if let busy = alive.filter({ !$0.value.isEmpty }).keys.min(), let request = alive[busy]!.min(by: { $0.number < $1.number }) {
                        release(request, of: busy, [.answered, .answered, .unanswered, .unusable, .broken].randomElement(using: &random)!)
                    }
                case 8:
                    if let dying = alive.keys.sorted().randomElement(using: &random) {
                        let lost = alive.removeValue(forKey: dying) ?? []
                        stopping.remove(dying)
                        apply(pool.exited(dying, at: at(now)))
                        for request in lost { apply(pool.release(request, .unanswered, at: at(now))) }
                    }
                default: apply(pool.tick(at: at(now)))
                }
            }
            for worker in alive.keys.sorted() {
                for request in alive[worker] ?? [] { release(request, of: worker, .answered) }
            }
            apply(pool.tick(at: at(now + 100_000)))
            #expect(open.isEmpty)
        }
        #expect(decisions.count > 1000)
        for decision in decisions { #expect(Autoscaler.Decision(replaying: decision.line) == decision) }
    }
}
