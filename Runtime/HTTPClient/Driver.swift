import CCurl
import Synchronization
import SwiftletSystem

/// The thread that runs transfers: it sleeps in `curl_multi_poll` until a socket, a timer or another thread has something.
final class Driver: Sendable {
    /// The driver of all calls of this process. libcurl is loaded when it is first asked for.
    static let shared = Result { () throws(HTTPError) in try Driver() }

    private enum Command {
        case add(Transfer), resume(Transfer), cancel(Transfer), stop
    }

    private static let loadFailure: String? = ccurl_load().map { String(cString: $0) }

    private struct Inbox {
        var commands: [Command] = []
        var isStopped = false
    }

    private let inbox = Mutex(Inbox())
    nonisolated(unsafe) private let multi: UnsafeMutableRawPointer  // other threads only call curl_multi_wakeup, which allows it

    init() throws(HTTPError) {
        if let reason = Driver.loadFailure {
            throw HTTPError(.unavailable, "libcurl cannot be loaded (\(reason)). Install it: apt install libcurl4.")
        }
        guard let multi = ccurl_multi_init() else { throw HTTPError(.unavailable, "libcurl gave no handle: out of memory.") }
        self.multi = multi
        startBlockingThread { self.run() }
    }

    func add(_ transfer: Transfer) { send(.add(transfer)) }

    /// After the receiver said ``Intake/full``: it has room again.
    func resume(_ transfer: Transfer) { send(.resume(transfer)) }

    /// Closes the transfer's connection at once. The receiver hears nothing more.
    func cancel(_ transfer: Transfer) {
        transfer.isCancelled.store(true, ordering: .releasing)
        send(.cancel(transfer))
    }

    /// Cancels what runs and ends the thread.
    func stop() { send(.stop) }

    private func send(_ command: Command) {
        inbox.withLock {
            // The thread frees `multi` after it has read `stop`: no wake-up may follow that one.
            if $0.isStopped { return }
            if case .stop = command { $0.isStopped = true }
            $0.commands.append(command)
            _ = ccurl_multi_wakeup(multi)
        }
    }

    // MARK: On the thread

    private func run() {
        var running: [ObjectIdentifier: Running] = [:]
        while carryOutCommands(&running) {
            _ = ccurl_multi_perform(multi)
            finishEnded(&running)
            let wait = stopSilent(&running)
            _ = ccurl_multi_poll(multi, Int32(clamping: wait.milliseconds))
        }
        for (_, one) in running { _ = ccurl_multi_remove(multi, one.easy) }
        running = [:]
        ccurl_multi_cleanup(multi)
    }

    /// - Returns: false when it is time to stop.
    private func carryOutCommands(_ running: inout [ObjectIdentifier: Running]) -> Bool {
        for command in inbox.withLock({ exchange(&$0.commands, with: []) }) {
            switch command {
            case .add(let transfer):
                if transfer.isCancelled.load(ordering: .acquiring) { continue }
                do throws(HTTPError) {
                    let new = try Running(transfer)
                    guard ccurl_multi_add(multi, new.easy) == CURLM_OK else {
                        throw HTTPError(.unavailable, "libcurl takes no more transfers.")
                    }
                    running[ObjectIdentifier(transfer)] = new
                } catch {
                    transfer.receiver.finish(error)
                }
            case .resume(let transfer):
                running[ObjectIdentifier(transfer)]?.resume()
            case .cancel(let transfer):
                guard let one = running.removeValue(forKey: ObjectIdentifier(transfer)) else { continue }
                _ = ccurl_multi_remove(multi, one.easy)
            case .stop:
                return false
            }
        }
        return true
    }

    private func finishEnded(_ running: inout [ObjectIdentifier: Running]) {
        var result = CURLE_OK
        while let easy = ccurl_multi_ended(multi, &result) {
            guard let context = ccurl_easy_context(easy) else { continue }
            let one = Running.at(context)
            end(one, with: one.failure(result), &running)
        }
    }

    /// Ends transfers whose peer was silent too long.
    /// - Returns: how long it is until the next one may be.
    private func stopSilent(_ running: inout [ObjectIdentifier: Running]) -> Duration {
        let now = ContinuousClock.now
        var wait = Duration.seconds(60)
        for one in Array(running.values) {
            guard let limit = one.transfer.request.timeouts.idle, let lastHeard = one.lastHeard else { continue }
            let left = limit - (now - lastHeard)
            if left > .zero {
                wait = min(wait, left)
            } else {
                end(one, with: HTTPError(.timedOut, "\(one.transfer.request.target) was silent for \(limit)."), &running)
            }
        }
        return wait
    }

    private func end(_ one: Running, with failure: HTTPError?, _ running: inout [ObjectIdentifier: Running]) {
        _ = ccurl_multi_remove(multi, one.easy)
        running[ObjectIdentifier(one.transfer)] = nil
        if failure == nil { one.deliverHead() }
        one.transfer.receiver.finish(failure)
    }
}
