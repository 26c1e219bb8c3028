/// Work was cut off at its deadline.
package struct DeadlinePassed: Error {
    package init() {}
}

/// Runs `operation`, cancelling it at `deadline`.
/// - Throws: ``DeadlinePassed``, or what `operation` throws.
package func withDeadline(_ deadline: ContinuousClock.Instant, _ operation: @escaping @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask(operation: operation)
        group.addTask {
            try await Task.sleep(until: deadline, clock: .continuous)
            throw DeadlinePassed()
        }
        defer { group.cancelAll() }
        try await group.next()
    }
}
