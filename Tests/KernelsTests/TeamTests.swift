import Kernels
import Synchronization
import Testing

struct TeamTests {
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
}
