import Supervisor
import Testing

/// The model pool against a clock made by hand: examples, and every state that a few models can be in.
@Suite struct ModelPoolTests {
    let start = ContinuousClock.now
    func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    func pool(budget: Int = 2, _ models: [String: Int] = ["a": 1, "b": 1, "c": 1], keepWarm: Duration? = .seconds(60)) -> ModelPool {
        var pool = ModelPool(budget: budget, patience: .seconds(2), callerReservation: .seconds(1))
        _ = pool.serve(models.mapValues { .init(memory: $0, keepWarm: keepWarm, stallTimeout: .seconds(30)) }, at: start)
        return pool
    }

    /// Warm, and its first call has come and gone.
    func warm(_ alias: String, in pool: inout ModelPool, at second: Int) {
        #expect(pool.wanted(alias, at: at(second)) == [.start(alias)])
        #expect(pool.ready(alias, at: at(second)) == [])
        #expect(pool.report(alias, active: 1, progress: 1, at: at(second)) == [])
        #expect(pool.report(alias, active: 0, progress: 2, at: at(second)) == [])
    }

    @Test func aHostStartsWhenSomeoneConnectsAndGoesWhenItWasIdleForItsTime() {
        var pool = pool()
        warm("a", in: &pool, at: 0)
        #expect(pool.nextEvent(after: at(0)) == at(30))  // the next look at its progress
        for second in 1..<60 { #expect(pool.report("a", active: 0, progress: 2, at: at(second)) + pool.tick(at: at(second)) == []) }
        #expect(pool.tick(at: at(60)) == [.retire("a")])
        #expect(pool.ended("a", at: at(61)) == [.listen("a")])
        #expect(pool.phase(of: "a") == .cold && pool.occupied == 0)
    }

    @Test func theLongestIdleMakesRoom() {
        var pool = pool()
        warm("a", in: &pool, at: 0)
        warm("b", in: &pool, at: 1)
        _ = pool.report("a", active: 1, progress: 3, at: at(2))
        _ = pool.report("a", active: 0, progress: 4, at: at(3))
        #expect(pool.wanted("c", at: at(4)) == [.retire("b")])
        #expect(pool.ended("b", at: at(5)) == [.listen("b"), .start("c")])
    }

    @Test func aBusyHostStaysUntilSomeoneHasWaitedLong() {
        var pool = pool(budget: 1)
        warm("a", in: &pool, at: 0)
        _ = pool.report("a", active: 1, progress: 3, at: at(1))
        #expect(pool.wanted("b", at: at(2)) == [])
        #expect(pool.nextEvent(after: at(2)) == at(4))
        #expect(pool.tick(at: at(3)) == [])
        #expect(pool.tick(at: at(4)) == [.retire("a")])
        // It finishes what it has.
        #expect(pool.report("a", active: 1, progress: 4, at: at(5)) == [] && pool.phase(of: "b") == .waiting)
        #expect(pool.ended("a", at: at(6)) == [.listen("a"), .start("b")])
    }

    @Test func aHostIsKeptForTheCallItWasStartedFor() {
        var pool = pool(budget: 1)
        #expect(pool.wanted("a", at: at(0)) == [.start("a")])
        #expect(pool.wanted("b", at: at(0)) == [])
        #expect(pool.ready("a", at: at(10)) == [])
        #expect(pool.isReserved("a", at: at(10)) && pool.nextEvent(after: at(10)) == at(11))
        #expect(pool.tick(at: at(11)) == [.retire("a")])
    }

    @Test func aPreloadedModelStaysForItsTime() {
        var pool = pool(budget: 1)
        #expect(pool.preload("a", for: .seconds(20), at: at(0)) == [.start("a")])
        _ = pool.ready("a", at: at(1))
        #expect(pool.wanted("b", at: at(2)) == [])
        #expect(pool.report("a", active: 0, progress: 0, at: at(20)) + pool.tick(at: at(20)) == [])
        #expect(pool.tick(at: at(21)) == [.retire("a")])
    }

    @Test func aModelLargerThanTheBudgetRunsAlone() {
        var pool = pool(budget: 2, ["a": 1, "large": 5])
        warm("a", in: &pool, at: 0)
        #expect(pool.wanted("large", at: at(1)) == [.retire("a")])
        #expect(pool.ended("a", at: at(2)) == [.listen("a"), .start("large")])
    }

    @Test func aHostThatMakesNoProgressIsReplaced() {
        var pool = pool()
        warm("a", in: &pool, at: 0)
        for second in 1...30 { #expect(pool.report("a", active: 1, progress: 2 + second, at: at(second)) + pool.tick(at: at(second)) == []) }
        for second in 31..<60 { #expect(pool.report("a", active: 1, progress: 32, at: at(second)) + pool.tick(at: at(second)) == []) }
        #expect(pool.tick(at: at(60)) == [.kill("a")])
        #expect(pool.tick(at: at(99)) == [])
        #expect(pool.ended("a", at: at(100)) == [.listen("a")])
    }

    @Test func aHostThatSaysNothingIsReplaced() {
        var pool = pool()
        warm("a", in: &pool, at: 0)
        #expect(pool.tick(at: at(30)) == [.kill("a")])
    }

    @Test func whoWaitsForAModelThatCannotBeLoadedIsTold() {
        var pool = pool()
        #expect(pool.wanted("a", at: at(0)) == [.start("a")])
        #expect(pool.ended("a", at: at(1)) == [.listen("a")])
        // Not at once again.
        #expect(pool.wanted("a", at: at(1)) == [])
        #expect(pool.tick(at: at(2)) == [.start("a")])
        #expect(pool.ended("a", at: at(3)) == [.refuse("a"), .listen("a")])
        #expect(pool.wanted("b", at: at(3)) == [.start("b")])
    }

    @Test func aModelThatIsNoLongerNamedGoesWhenItHasFinished() {
        var pool = pool()
        warm("a", in: &pool, at: 0)
        #expect(pool.serve([:], at: at(1)) == [.retire("a")])
        #expect(pool.ended("a", at: at(2)) == [])
        #expect(pool.phase(of: "a") == nil && pool.phase(of: "b") == nil)
    }

    // MARK: Every state

    /// A pool, and what a test may know of it.
    private struct World {
        var pool: ModelPool
        var now: Int = 0
        var progress = 0
        /// Aliases whose hosts have been told to go.
        var closing: Set<String> = []
        var ready: [String] = []
        var waitingSince: [String: Int] = [:]

        /// Two worlds with the same key behave the same from here on.
        struct Key: Hashable {
            var models: [String]
            var line: [String]
            var ready: [String]
            var nextEvent: Int?
        }
    }

    private func key(_ world: World, _ aliases: [String]) -> World.Key {
        let now = at(world.now)
        return World.Key(
            models: aliases.map { alias in
                let idle = world.pool.idleSince(alias).map { min(3, Int(($0.duration(to: now)) / .seconds(1))) }
                return "\(world.pool.phase(of: alias)!) \(world.pool.active(alias)) \(world.pool.isReserved(alias, at: now)) \(idle ?? -1) \(min(2, world.now - (world.waitingSince[alias] ?? world.now)))"
            },
            line: world.pool.line, ready: world.ready,
            nextEvent: world.pool.nextEvent(after: now).map { min(4, Int(now.duration(to: $0) / .seconds(1))) })
    }

    /// Carries actions out as hosts would, and checks that each was allowed in the state before.
    private func apply(_ event: (inout ModelPool) -> [ModelPool.Action], to world: World, _ sizes: [String: Int], budget: Int) -> (World, [String]) {
        var next = world
        var started: [String] = []
        let before = world.pool
        let actions = event(&next.pool)
        for action in actions {
            switch action {
            case .start(let alias):
                started.append(alias)
                next.waitingSince[alias] = nil
            case .retire(let alias):
                let longestWait = world.waitingSince.values.map { world.now - $0 }.max() ?? 0
                #expect(before.phase(of: alias) == .warm || next.pool.active(alias) == 0, "a host that loads goes")
                #expect(!next.pool.isReserved(alias, at: at(next.now)) && !before.isReserved(alias, at: at(next.now)) || before.active(alias) != next.pool.active(alias), "a reserved host goes")
                #expect(next.pool.active(alias) == 0 || longestWait >= 1, "a busy host goes although nobody has waited long")
                #expect(!world.closing.contains(alias), "told twice")
                next.closing.insert(alias)
                next.ready.removeAll { $0 == alias }
            case .kill(let alias): Issue.record("\(alias) is killed although it works")
            case .refuse(let alias): Issue.record("\(alias) is refused although it loads")
            case .listen(let alias):
                next.closing.remove(alias)
                #expect(next.pool.phase(of: alias) == .cold || next.pool.phase(of: alias) == .waiting)
            }
        }
        let running = sizes.filter { [.loading, .warm, .closing].contains(next.pool.phase(of: $0.key)) }
        #expect(next.pool.occupied == running.values.reduce(0, +))
        #expect(next.pool.occupied <= budget || running.count == 1, "more than the budget runs: \(running)")
        for alias in next.pool.line where next.waitingSince[alias] == nil { next.waitingSince[alias] = next.now }
        return (next, started)
    }

    @Test(arguments: [(["a": 1, "b": 1, "c": 1], 2), (["a": 1, "b": 2, "c": 3], 3), (["a": 1, "b": 1, "c": 4], 3), (["a": 1, "b": 1], 1)])
    func everyWaiterEventuallyRunsAndNoneIsCutOff(sizes: [String: Int], budget: Int) {
        let aliases = sizes.keys.sorted()
        var first = ModelPool(budget: budget, patience: .seconds(1), callerReservation: .seconds(1))
        _ = first.serve(sizes.mapValues { .init(memory: $0, keepWarm: .seconds(2), stallTimeout: .seconds(1000)) }, at: start)
        var seen: Set<World.Key> = []
        var open = [World(pool: first)]
        var waits = 0
        while let world = open.popLast() {
            guard seen.insert(key(world, aliases)).inserted else { continue }
            if !world.pool.line.isEmpty {
                waits += 1
                everyoneRuns(from: world, aliases, sizes, budget: budget)
            }
            let now = at(world.now)
            for alias in aliases {
                switch world.pool.phase(of: alias) {
                case .cold: open.append(apply({ $0.wanted(alias, at: now) }, to: world, sizes, budget: budget).0)
                case .loading:
                    var next = apply({ $0.ready(alias, at: now) }, to: world, sizes, budget: budget).0
                    if !next.closing.contains(alias) { next.ready.append(alias) }
                    open.append(next)
                case .warm, .closing:
                    var next = world
                    next.progress += 1
                    let change = world.pool.active(alias) == 0 ? 1 : 0
                    if change == 0 || !world.closing.contains(alias) {
                        open.append(apply({ $0.report(alias, active: change, progress: next.progress, at: now) }, to: next, sizes, budget: budget).0)
                    }
                    if world.pool.active(alias) == 0, world.closing.contains(alias) {
                        open.append(apply({ $0.ended(alias, at: now) }, to: world, sizes, budget: budget).0)
                    }
                case .waiting, nil: break
                }
            }
            var later = world
            later.now += 1
            open.append(apply({ $0.tick(at: at(later.now)) }, to: later, sizes, budget: budget).0)
        }
        #expect(seen.count > 50 && waits > 20, "\(seen.count) states, \(waits) with someone in line")
    }

    /// Everyone in line starts, although every host that may is kept busy and every model that is cold is wanted again.
    private func everyoneRuns(from world: World, _ aliases: [String], _ sizes: [String: Int], budget: Int) {
        var world = world
        var missing = Set(world.pool.line)
        for _ in 0..<(6 * aliases.count) {
            for alias in aliases {
                let now = at(world.now)
                world.progress += 1
                var started: [String] = []
                switch world.pool.phase(of: alias) {
                case .loading: (world, started) = apply({ $0.ready(alias, at: now) }, to: world, sizes, budget: budget)
                case .warm: (world, started) = apply({ $0.report(alias, active: 1, progress: world.progress, at: now) }, to: world, sizes, budget: budget)
                case .closing: (world, started) = apply({ $0.ended(alias, at: now) }, to: world, sizes, budget: budget)
                case .cold: (world, started) = apply({ $0.wanted(alias, at: now) }, to: world, sizes, budget: budget)
                case .waiting, nil: break
                }
                missing.subtract(started)
            }
            world.now += 1
            let (next, started) = apply({ $0.tick(at: at(world.now)) }, to: world, sizes, budget: budget)
            world = next
            missing.subtract(started)
            if missing.isEmpty { return }
        }
        Issue.record("\(missing) never run, from \(key(world, aliases))")
    }
}
