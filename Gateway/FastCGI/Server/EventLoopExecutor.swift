import NIOCore
import Synchronization

/// Runs tasks on an event loop, so that what handles a request stays on the thread that its connection is on: the pool's threads
/// would have to be woken for each step. What runs there must not block.
package final class EventLoopExecutor: TaskExecutor {
    private static let all = Mutex<[ObjectIdentifier: EventLoopExecutor]>([:])

    package let eventLoop: any EventLoop

    private init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// The one executor of `eventLoop`, which lives as long as the process.
    package static func of(_ eventLoop: any EventLoop) -> EventLoopExecutor {
        all.withLock { all in
            if let known = all[ObjectIdentifier(eventLoop)] { return known }
            let new = EventLoopExecutor(eventLoop)
            all[ObjectIdentifier(eventLoop)] = new
            return new
        }
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
