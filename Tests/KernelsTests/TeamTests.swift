import Kernels
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite(.serialized) struct TeamTests {
    final class Counts: Sendable {
        let tasks = Mutex([Int](repeating: 0, count: 100))
        let threads = Mutex(Set<UInt32>())
    }

    @Test(arguments: [0, 1, 3] as [UInt32])
    func everyTaskIsDoneOnce(helpers: UInt32) throws {
        let team = try #require(swl_team_create(helpers))
        defer { swl_team_destroy(team) }
        for tasks in (0..<2000).map({ $0 % 100 }) {
            let counts = Counts()
            swl_team_run(
                team, UInt32(tasks),
                { context, task, thread in
                    let counts = Unmanaged<Counts>.fromOpaque(context).takeUnretainedValue()
                    counts.tasks.withLock { $0[Int(task)] += 1 }
                    counts.threads.withLock { _ = $0.insert(thread) }
                }, Unmanaged.passUnretained(counts).toOpaque())
            #expect(counts.tasks.withLock { $0 } == (0..<100).map { $0 < tasks ? 1 : 0 })
            #expect(counts.threads.withLock { $0.allSatisfy { $0 <= helpers } })
        }
    }

    /// Helpers that went on looking for work would take a whole processor each.
    @Test func anIdleTeamUsesNoProcessor() throws {
        let team = try #require(swl_team_create(3))
        defer { swl_team_destroy(team) }
        for _ in 0..<100 { swl_team_run(team, 8, { _, _, _ in }, UnsafeMutableRawPointer(team)) }
        // Once they have stopped to look out for more: on a busy machine some get their turn to do so late.
        var idle = Usage()
        for _ in 0..<20 {
            let before = Usage()
            usleep(100_000)
            idle = Usage().since(before)
            if idle.seconds < 0.007, idle.switches < 20 { return }
        }
        Issue.record("an idle team took \(idle)")
    }

    /// Another team on the same processors needs them meanwhile.
    @Test func aCallerThatWaitsLeavesItsProcessor() throws {
        let team = try #require(swl_team_create(1))
        defer { swl_team_destroy(team) }
        let before = Usage()
        for _ in 0..<20 {
            // One of the two sleeps for ten milliseconds; where that is the helper, the caller has nothing to do meanwhile.
            swl_team_run(team, 2, { _, task, worker in usleep(worker == 0 ? 100 : 10_000) }, UnsafeMutableRawPointer(team))
        }
        let waiting = Usage().since(before)
        #expect(waiting.seconds < 0.05, "\(waiting)")
    }

    /// What this process took of its processors.
    private struct Usage {
        var seconds: Double
        var switches: Int

        init() {
            var usage = rusage()
            getrusage(0, &usage)  // RUSAGE_SELF, which systems disagree on the type of
            seconds = [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
            switches = Int(usage.ru_nvcsw)
        }

        func since(_ earlier: Usage) -> Usage {
            var usage = self
            usage.seconds -= earlier.seconds
            usage.switches -= earlier.switches
            return usage
        }
    }
}
