import Kernels

/// Threads that share the work of one caller, the engine's thread. See team.h.
final class ThreadTeam: @unchecked Sendable {  // only the engine's thread calls `run`
    let threads: Int
    private let team: OpaquePointer

    /// - Parameter threads: how many threads work at once, the caller's included.
    init(threads: Int) throws {
        self.threads = threads
        guard let team = swl_team_create(UInt32(threads - 1)) else {
            throw InferenceError(.system, "The system refused to start \(threads - 1) threads for computing. Ask for fewer.")
        }
        self.team = team
    }

    deinit { swl_team_destroy(team) }

    /// Calls `body` for each task below `tasks`, on several threads at once: what it writes must be its task's own. The
    /// second number says which thread it is on, below ``threads``.
    func run(_ tasks: Int, _ body: (_ task: Int, _ thread: Int) -> Void) {
        withoutActuallyEscaping(body) { escapable in
            var job = Job(body: escapable)
            withUnsafeMutablePointer(to: &job) { job in
                swl_team_run(
                    team, UInt32(tasks),
                    { job, task, thread in job.assumingMemoryBound(to: Job.self).pointee.body(Int(task), Int(thread)) }, job)
            }
        }
    }

    private struct Job {
        let body: (Int, Int) -> Void
    }
}
