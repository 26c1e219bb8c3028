import FoundationEssentials
import SwiftletSystem
import Wire

extension Ledger {
    var tallyFolder: String { "\(path)-tallies" }

    /// What dead hosts had made and not entered.
    package struct Collected: Hashable, Sendable {
        package var calls = 0
        package var usage = TokenUsage()

        /// For the log.
        package var line: String {
            "billed \(calls) calls that killed hosts were in: \(usage.promptTokens) tokens in and \(usage.completionTokens) out, \(usage.cost) USD"
        }
    }

    /// Enters the calls that dead hosts were in, each with the tokens that its host had counted. Whoever comes first does it;
    /// a call that is in the ledger already stays as it is.
    ///
    /// - Parameter patience: How long to wait for hosts that are still ending; their tallies are left alone after that.
    /// - Throws: ``LedgerError`` when the ledger cannot be written; the tallies are kept then.
    @discardableResult
    package func collectTallies(patience: Duration = .zero) async throws -> Collected {
        var collected = Collected()
        let deadline = ContinuousClock.now + patience
        while true {
            var living = 0
            for path in tallyFiles {
                guard let file = try orphan(path) else {
                    living += FileManager.default.fileExists(atPath: path) ? 1 : 0
                    continue
                }
                try await collect(file, into: &collected)
            }
            guard living > 0, .now < deadline else { return collected }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits until no host counts for `invocation` any more, so that its bill is complete. What a host that died had made is
    /// entered first.
    /// - Returns: Whether the bill is complete; a call that goes on for longer than `patience` is entered when it ends.
    package func awaitCalls(of invocation: UUIDv7, patience: Duration) async throws -> Bool {
        // Settling goes on when its client has gone, and so does this, in a task of its own: in one that was cancelled, reads fail.
        try await Task {
            let deadline = ContinuousClock.now + patience
            var pause = Duration.milliseconds(1)
            while true {
                let counting = try await tallies(counting: invocation)
                if counting.isEmpty { return true }
                var collected = Collected()
                for path in counting {
                    if let file = try orphan(path) { try await collect(file, into: &collected) }
                }
                if collected.calls > 0 { continue }
                guard .now < deadline else { return false }
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(20))
            }
        }.value
    }

    /// The tallies of hosts that count for `invocation`, and not only for attempts that were given up.
    private func tallies(counting invocation: UUIDv7) async throws -> [String] {
        var counting: [String: [Attempt]] = [:]
        for path in tallyFiles {
            guard let file = try? MappedFile(path: path), let reader = TallyReader(file.bytes) else { continue }
            let attempts = reader.attempts(of: invocation)
            if !attempts.isEmpty { counting[path] = attempts }
        }
        if counting.isEmpty { return [] }
        let givenUp = try await read { db in try Attempt.givenUp(of: invocation, db) }
        return counting.filter { !$0.value.allSatisfy { attempt in givenUp.contains(where: attempt.isPart) } }.map(\.key)
    }

    private var tallyFiles: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: tallyFolder)) ?? []
        return names.filter { $0.hasSuffix(".tally") }.map { "\(tallyFolder)/\($0)" }
    }

    private func orphan(_ path: String) throws -> SharedFile? {
        do {
            return try SharedFile.orphan(path: path)
        } catch {
            throw LedgerError(.storage, "\(error)")
        }
    }

    private func collect(_ file: SharedFile, into collected: inout Collected) async throws {
        guard let reader = TallyReader(UnsafeRawBufferPointer(file.bytes)) else {
            // Its host died before it counted anything.
            return file.remove()
        }
        let (slots, model, now) = (reader.open, reader.model, Date.now)
        let entered = try await write { db in
            var entered = Collected()
            for slot in slots {
                // A call that fails before its first token costs nothing.
                guard slot.completionTokens > 0 else {
                    try Budget.release(invocation: slot.invocation, call: slot.call, db)
                    continue
                }
                let started = Date(milliseconds: slot.started)
                let name = ModelName(alias: model, adapter: slot.adapter.isEmpty ? nil : slot.adapter)
                let row = UsageRow(
                    invocation: slot.invocation, call: slot.call, model: name.description, kind: slot.kind, promptTokens: slot.promptTokens,
                    cachedTokens: slot.cachedTokens, completionTokens: slot.completionTokens, finishReason: "error", started: started,
                    finished: max(now, started), attempt: slot.attempt)
                guard let usage = try row.enter(db) else { continue }
                entered.calls += 1
                entered.usage += usage
            }
            return entered
        }
        collected.calls += entered.calls
        collected.usage += entered.usage
        file.remove()
    }
}
