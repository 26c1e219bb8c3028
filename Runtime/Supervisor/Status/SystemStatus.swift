/// What a running system is doing, as `swiftlet status --json` prints it.
package struct SystemStatus: Codable, Hashable, Sendable {
    /// The process id of `swiftlet serve`.
    package var process: Int32
    /// Seconds since the start.
    package var uptime: Double
    /// Bytes of memory that `serve` has for itself.
    package var memory: Int
    package var functions: [FunctionStatus]
    package var models: [ModelStatus]

    package struct FunctionStatus: Codable, Hashable, Sendable {
        package var name: String
        package var routes: [String]
        package var handler: String?
        package var models: [String]
        /// Newest first.
        package var versions: [VersionStatus]
        /// Why the folder's content was not taken.
        package var problem: String?

        package init(
            name: String, routes: [String] = [], handler: String? = nil, models: [String] = [], versions: [VersionStatus] = [],
            problem: String? = nil
        ) {
            self.name = name
            self.routes = routes
            self.handler = handler
            self.models = models
            self.versions = versions
            self.problem = problem
        }
    }

    package struct VersionStatus: Codable, Hashable, Sendable {
        package enum State: String, Codable, Sendable {
            case serving, draining
            /// Without traffic, for a rollback.
            case kept
        }

        package var version: String
        package var fingerprint: String
        /// Seconds since 1970.
        package var accepted: Double
        package var state: State
        /// Percent.
        package var traffic: Int
        /// Requests that wait for a worker.
        package var waiting: Int
        package var workers: [WorkerStatus]
    }

    package struct WorkerStatus: Codable, Hashable, Sendable {
        package enum State: String, Codable, Sendable { case starting, busy, idle, stopping }

        package var process: Int32
        package var state: State
        /// Seconds since it is in this state.
        package var since: Double
        /// Requests that it works on.
        package var running: Int
        /// The longest-running first.
        package var calls: [CallStatus]
        package var memory: Int
    }

    package struct CallStatus: Codable, Hashable, Sendable {
        /// `nil` for a probe.
        package var invocation: String?
        /// Seconds since the worker got it.
        package var since: Double
    }

    package struct ModelStatus: Codable, Hashable, Sendable {
        package enum State: String, Codable, Sendable { case cold, waiting, loading, warm, closing }

        package var alias: String
        package var file: String
        package var state: State
        package var process: Int32?
        /// Requests that the host works on.
        package var running: Int
        package var waiting: Int
        /// Bytes that the pool counts for it, and what its process has for itself.
        package var size: Int
        package var memory: Int
        /// Seconds since it last had work.
        package var idle: Double
    }
}
