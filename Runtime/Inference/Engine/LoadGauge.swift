import Synchronization

/// How busy an engine is.
package struct EngineLoad: Hashable, Sendable {
    /// Sequences that take part in steps and hold memory.
    package var running: Int
    /// Sequences, or embedding requests, that wait in line.
    package var waiting: Int
    /// Share of the cache that running sequences hold, from 0 to 1.
    package var cacheUsage = 0.0
}

/// Where the engine's thread writes its load for others to read.
final class LoadGauge: Sendable {
    private let load = Mutex(EngineLoad(running: 0, waiting: 0))
    var value: EngineLoad { load.withLock { $0 } }
    func set(running: Int, waiting: Int, cacheUsage: Double = 0) {
        load.withLock { $0 = EngineLoad(running: running, waiting: waiting, cacheUsage: cacheUsage) }
    }
}
