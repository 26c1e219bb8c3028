import FoundationEssentials
import Ledger
import Logging
import Synchronization
import Wire

/// Decides which calls the ledger has room for, and enters each call's usage. It owns every entry until it is written: also when
/// the caller has gone, and while nothing can be written.
final class Meter: Sendable {
    private let ledger: Ledger
    private let tally: Tally
    private let logger: Logger
    private let open = Mutex<[UUIDv7: Task<TokenUsage, any Error>]>([:])
    private let owed = Mutex<[UUIDv7: Task<Void, Never>]>([:])
    let metrics = Metrics()

    init(ledger: Ledger, tally: Tally, logger: Logger) {
        self.ledger = ledger
        self.tally = tally
        self.logger = logger
    }

    /// What an admitted call may make, and where that is counted.
    struct Admission: Sendable {
        let maximumTokens: Int
        let entry: Tally.Entry
    }

    /// Lets a call begin, and holds what it may cost. Whoever is let in is charged or released.
    /// - Throws: ``LedgerError`` when its key's budget has no room for it, too many calls run, or it was made before.
    func admit(_ request: CallRequest) async throws -> Admission {
        let entry = try tally.open(request)
        do {
            return Admission(maximumTokens: try await ledger.hold(request), entry: entry)
        } catch {
            entry.close()
            throw error
        }
    }

    /// Enters the call `id` as soon as `usage` is known. Await the result's value before the caller learns of the call's end.
    /// A call without usage costs nothing.
    func charge(_ request: CallRequest, _ admission: Admission, _ usage: @escaping @Sendable () async -> UsageRow?) -> Task<TokenUsage, any Error> {
        open.withLock { open in
            let entry = Task {
                defer { forget(request.call) }
                guard let row = await usage() else {
                    await release(request, admission)
                    return TokenUsage()
                }
                do {
                    let usage = try await ledger.record(row)
                    admission.entry.close()
                    metrics.count(row)
                    return usage
                } catch {
                    owe(row, admission, error)
                    throw error
                }
            }
            open[request.call] = entry
            return entry
        }
    }

    /// Gives back what a call held that made nothing.
    func release(_ request: CallRequest, _ admission: Admission) async {
        do {
            try await ledger.release(invocation: request.invocation, call: request.call)
            admission.entry.close()
        } catch {
            // The tally still has the call, which gives it back when the host has ended.
            logger.error("what call \(request.call) held is not given back yet: \(error)")
        }
    }

    /// Tries until `row` is written. Its caller has been told of an error, but may have received tokens before.
    private func owe(_ row: UsageRow, _ admission: Admission, _ error: any Error) {
        logger.error("call \(row.call) of invocation \(row.invocation) is not billed yet: \(error)")
        owed.withLock { owed in
            owed[row.call] = Task {
                var pause = Duration.milliseconds(250)
                while !Task.isCancelled {
                    try? await Task.sleep(for: pause)
                    pause = min(pause * 2, .seconds(10))
                    do {
                        _ = try await ledger.record(row)
                        admission.entry.close()
                        metrics.count(row)
                        logger.notice("call \(row.call) of invocation \(row.invocation) is billed now")
                        break
                    } catch let error as LedgerError where error.code == .notFound {
                        admission.entry.close()
                        break
                    } catch {
                        continue
                    }
                }
                self.owed.withLock { $0[row.call] = nil }
            }
        }
    }

    private func forget(_ id: UUIDv7) {
        open.withLock { $0[id] = nil }
    }

    /// Waits until everything that was charged is written, or, where nothing can be written, is left to the tally.
    func settle() async {
        for entry in open.withLock({ Array($0.values) }) { _ = await entry.result }
        for entry in owed.withLock({ Array($0.values) }) {
            entry.cancel()
            await entry.value
        }
        tally.end()
    }
}
