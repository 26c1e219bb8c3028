import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What an engine's thread does, in steps.
protocol Runner: AnyObject, SendableMetatype {
    associatedtype Job: Sendable
    var hasWork: Bool { get }
    func accept(_ job: Job)
    /// Does some of the work: as little as makes sense at once, because new jobs and cancellations wait for its end.
    func step()
    /// Ends all jobs with this error.
    func abandon(_ error: InferenceError)
}

/// A thread of its own for computing, which never blocks Swift's cooperative pool. It sleeps while there is nothing to do.
final class EngineThread<R: Runner>: Sendable {
    private struct Inbox {
        var jobs: [R.Job] = []
        var isEnding = false
    }

    /// What the thread shares with its owner. It does not keep the owner alive.
    private final class Shared: Sendable {
        let inbox = Mutex(Inbox())
        let wake = DispatchSemaphore(value: 0)
    }

    private let shared = Shared()
    private let thread: Mutex<pthread_t?>

    static var ended: InferenceError { InferenceError(.system, "The model is shutting down.") }

    /// - Parameter makeRunner: called on the thread.
    init(makeRunner: @escaping @Sendable () -> R) throws {
        let shared = shared
        thread = Mutex(try startThread { Self.run(makeRunner(), shared) })
    }

    private static func run(_ runner: R, _ shared: Shared) {
        while true {
            if !runner.hasWork { shared.wake.wait() }
            let inbox = shared.inbox.withLock { inbox in
                defer { inbox.jobs = [] }
                return inbox
            }
            for job in inbox.jobs { runner.accept(job) }
            if inbox.isEnding { return runner.abandon(ended) }
            if runner.hasWork { runner.step() }
        }
    }

    /// - Throws: ``InferenceError`` after ``end()``.
    func submit(_ job: R.Job) throws {
        try shared.inbox.withLock { inbox in
            guard !inbox.isEnding else { throw Self.ended }
            inbox.jobs.append(job)
        }
        shared.wake.signal()
    }

    /// Ends all jobs with an error, and waits for the thread, which finishes its step before.
    func end() {
        stop()
        if let thread = thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
    }

    deinit {
        stop()
        if let thread = thread.withLock({ $0.take() }) { pthread_detach(thread) }
    }

    private func stop() {
        shared.inbox.withLock { $0.isEnding = true }
        shared.wake.signal()
    }
}

private func startThread(_ body: @escaping @Sendable () -> Void) throws -> pthread_t {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let box = Unmanaged.passRetained(Box(body))
    var thread = pthread_t()
    let code = pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    guard code == 0 else {
        box.release()
        throw InferenceError(.system, "The system refused to start a thread for the model (error \(code)).")
    }
    return thread
}
