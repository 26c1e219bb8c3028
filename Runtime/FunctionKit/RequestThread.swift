import Glibc
import SwiftletSystem
import Synchronization

/// Runs a handler on the thread that serves its request: no other thread has to be woken to start it, to write for it or to go on
/// after a write, and a handler that blocks holds up its own request only.
final class RequestThread: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])
    private let thread = pthread_self()
    private let event: Event

    /// Made on the thread itself.
    /// - Parameter event: what the thread waits for when it has nothing to run.
    init(waking event: Event) { self.event = event }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        wake()
    }

    /// Has the thread look again at what there is to do; it does anyway before it waits.
    func wake() {
        if pthread_equal(thread, pthread_self()) == 0 { event.signal() }
    }

    /// Runs what can be run now. On the thread only.
    /// - Returns: whether there was anything.
    func run() -> Bool {
        var hasRun = false
        while case let ready = jobs.withLock({ jobs in
            defer { jobs = [] }
            return jobs
        }), !ready.isEmpty {
            for job in ready { job.runSynchronously(on: asUnownedTaskExecutor()) }
            hasRun = true
        }
        return hasRun
    }
}
