import HTTPTypes
import Ledger
import Logging
import Supervisor

extension HTTPField.Name {
    static let cost = HTTPField.Name("x-swiftlet-cost-usd")!
    static let queueTime = HTTPField.Name("x-swiftlet-queue-ms")!
    static let coldStartTime = HTTPField.Name("x-swiftlet-cold-start-ms")!
    static let totalTime = HTTPField.Name("x-swiftlet-total-ms")!
}

/// What is entered of an invocation that has ended.
struct Bill: Sendable {
    let invocation: Invocation
    var outcome: FunctionCall.Outcome
    /// What the invocation is charged beside its calls.
    let fee: Fee
    /// Whether the ledger knows it already.
    let isReserved: Bool
    let ledger: Ledger
    let logger: Logger
    private let duration: Duration

    init(invocation: Invocation, outcome: FunctionCall.Outcome, fee: Fee, isReserved: Bool, ledger: Ledger, logger: Logger) {
        (self.invocation, self.outcome, self.fee, self.isReserved) = (invocation, outcome, fee, isReserved)
        (self.ledger, self.logger) = (ledger, logger)
        duration = invocation.started.duration(to: .now)
    }

    private var settlement: Settlement {
        Settlement(
            status: outcome.status, httpStatus: outcome.httpStatus, duration: duration, queued: outcome.queued,
            coldStart: outcome.isCold ? outcome.queued : nil, firstByte: outcome.timeToFirstByte, isGivenUp: outcome.isGivenUp)
    }

    /// What the ledger will have of an invocation that charges nothing.
    var record: InvocationRecord { InvocationRecord(invocation.reservation, settlement) }

    /// Settles the invocation and logs its line.
    /// - Parameters:
    ///   - isPatient: Whether nobody waits for it.
    ///   - answering: the idempotent request that it ran for, and what it was answered.
    func settle(
        isPatient: Bool = false, answering: (request: IdempotentRequest, answer: KeptAnswer)? = nil
    ) async throws -> InvocationRecord {
        // A call that broke off may have a host that still counts: it ends at its next token, or has died and left its count.
        if !outcome.isGivenUp, outcome.status != .succeeded || !invocation.function.models.isEmpty {
            let isComplete = try await ledger.awaitCalls(of: invocation.id, patience: .seconds(5))
            if !isComplete { logger.warning("invocation \(invocation.id) is settled while a model call of it goes on, which is billed when it ends") }
        }
        let record =
            if isReserved {
                // Durably, where the bill would be money lost with the machine's power. What another function made for this one is
                // not: its model calls are durable by themselves, and the next start settles what it finds open.
                try await ledger.settle(invocation.id, settlement, durably: invocation.mayCharge(fee), answering: answering)
            } else {
                try await ledger.enter(invocation.reservation, settlement, isPatient: isPatient)
            }
        logger.info("\(Report(record: record).line)")
        return record
    }

    /// Tries until the invocation is settled. The process's end ends it; then the next start settles what was reserved.
    /// - Parameter answering: as for ``settle(isPatient:answering:)``: who asks again gets the answer that is billed.
    func settleInTheEnd(after error: any Error, answering: (request: IdempotentRequest, answer: KeptAnswer)? = nil) async {
        logger.error("invocation \(invocation.id) is not settled yet: \(error)")
        var pause = Duration.milliseconds(250)
        while true {
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(10))
            do {
                _ = try await settle(answering: answering)
                return
            } catch let error as LedgerError where error.code == .notFound {
                return logger.error("invocation \(invocation.id) cannot be settled: \(error)")
            } catch {
                continue
            }
        }
    }
}

extension InvocationRecord {
    /// What the head of a response says that was held until it was settled.
    var headers: HTTPFields {
        [
            .cost: "\(cost)", .queueTime: "\(queueMilliseconds ?? 0)", .coldStartTime: "\(coldStartMilliseconds ?? 0)",
            .totalTime: "\(durationMilliseconds ?? 0)",
        ]
    }
}

extension FunctionCall.Outcome {
    /// What the head of a stream says: the rest is known at its end.
    var headers: HTTPFields {
        [.queueTime: "\(queued.milliseconds)", .coldStartTime: "\(isCold ? queued.milliseconds : 0)"]
    }
}
