import FoundationEssentials
import Wire

/// How an invocation stands.
package enum InvocationStatus: String, Hashable, Codable, Sendable {
    /// Admitted and not yet ended.
    case reserved
    case succeeded
    /// It was answered with an error, or its gateway died.
    case failed
    /// The deadline passed.
    case timedOut = "timed_out"
    /// The client hung up before the end.
    case clientClosed = "client_closed"
}

/// What is known of an invocation when it is admitted.
package struct Reservation: Hashable, Sendable {
    package var id: UUIDv7
    /// The id of the API key.
    package var key: String
    package var tenant: String
    package var function: String
    /// Of the function; `nil` where it has none.
    package var version: String?
    /// The route that matched, as in `function.yaml`: `POST /generate`.
    package var route: String
    package var started: Date
    /// The longest that it may take, which its fee must be held for.
    package var timeout: Duration

    package init(
        id: UUIDv7 = UUIDv7(), key: String, tenant: String, function: String, version: String? = nil, route: String,
        started: Date = .now, timeout: Duration = .zero
    ) {
        self.id = id
        self.key = key
        self.tenant = tenant
        self.function = function
        self.version = version
        self.route = route
        self.started = started
        self.timeout = timeout
    }
}

/// How an invocation ended.
package struct Settlement: Hashable, Sendable {
    package var status: InvocationStatus
    /// What the client was told; `nil` when it heard nothing.
    package var httpStatus: Int?
    /// From admission to the last byte.
    package var duration: Duration
    /// The part of it that was spent waiting for a worker.
    package var queued: Duration
    /// The part of that in which a worker was started for it; `nil` when none was.
    package var coldStart: Duration?
    /// From admission to the first byte of the body.
    package var firstByte: Duration?
    /// Whether nothing of an answer reached anyone. It costs nothing then: what models made for it is the system's own loss.
    package var isGivenUp: Bool

    package init(
        status: InvocationStatus, httpStatus: Int?, duration: Duration, queued: Duration = .zero, coldStart: Duration? = nil,
        firstByte: Duration? = nil, isGivenUp: Bool = false
    ) {
        self.status = status
        self.httpStatus = httpStatus
        self.duration = duration
        self.queued = queued
        self.coldStart = coldStart
        self.firstByte = firstByte
        self.isGivenUp = isGivenUp
    }
}

/// An invocation and all its model calls, in the shape of `GET /v1/invocations/{id}`.
package struct InvocationRecord: Hashable, Sendable {
    package struct Call: Hashable, Sendable {
        package let id: UUIDv7
        package let model: String
        package let kind: UsageRow.Kind
        package let finishReason: String?
        package let usage: TokenUsage
        package let started: Date
        /// From then to the first token.
        package let firstTokenMilliseconds: Int64?
        /// How long its host took to be ready, when it was started for this call.
        package let loadMilliseconds: Int64?
    }

    package let id: UUIDv7
    /// The id of the API key.
    package let key: String
    package let tenant: String
    package let function: String
    package let version: String?
    package let route: String
    package internal(set) var status: InvocationStatus
    package internal(set) var httpStatus: Int?
    package let started: Date
    package internal(set) var durationMilliseconds: Int64?
    package internal(set) var queueMilliseconds: Int64?
    package internal(set) var coldStartMilliseconds: Int64?
    package internal(set) var firstByteMilliseconds: Int64?
    /// What the invocation costs beside its calls.
    package internal(set) var fee: NanoUSD
    /// In the order in which they began.
    package internal(set) var calls: [Call]

    /// The sum over all calls.
    package var usage: TokenUsage { calls.reduce(into: TokenUsage()) { $0 += $1.usage } }
    /// All that the invocation costs.
    package var cost: NanoUSD { usage.cost + fee }
    /// From admission to the first token of the first call that made one.
    package var firstTokenMilliseconds: Int64? {
        calls.lazy.compactMap { call in
            call.firstTokenMilliseconds.map { max(0, call.started.milliseconds - started.milliseconds) + $0 }
        }.first
    }
    /// The time that is paid for; none where the invocation failed before it made anything.
    package var billedMilliseconds: Int64 { status == .succeeded || !calls.isEmpty ? durationMilliseconds ?? 0 : 0 }
    /// Whether it was answered from the response cache.
    package var isCached: Bool { !calls.isEmpty && calls.allSatisfy(\.kind.isCached) }
    /// The longest that a call waited for its model to be loaded.
    package var loadMilliseconds: Int64? { calls.compactMap(\.loadMilliseconds).max() }
}

extension InvocationRecord: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id, object, function, version, route, status, created, usage, fee, cost, calls
        case httpStatus = "http_status"
        case duration = "duration_ms"
        case billed = "billed_ms"
        case queue = "queue_ms"
        case coldStart = "cold_start_ms"
        case modelLoad = "model_load_ms"
        case firstToken = "time_to_first_token_ms"
        case firstByte = "time_to_first_byte_ms"
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode("invocation", forKey: .object)
        try container.encode(function, forKey: .function)
        try container.encode(version, forKey: .version)
        try container.encode(route, forKey: .route)
        try container.encode(status, forKey: .status)
        try container.encode(httpStatus, forKey: .httpStatus)
        try container.encode(Int64(started.timeIntervalSince1970), forKey: .created)
        try container.encode(durationMilliseconds, forKey: .duration)
        try container.encode(billedMilliseconds, forKey: .billed)
        try container.encode(queueMilliseconds, forKey: .queue)
        try container.encode(coldStartMilliseconds, forKey: .coldStart)
        try container.encode(loadMilliseconds, forKey: .modelLoad)
        try container.encode(firstTokenMilliseconds, forKey: .firstToken)
        try container.encode(firstByteMilliseconds, forKey: .firstByte)
        try container.encode(usage, forKey: .usage)
        try container.encode(fee, forKey: .fee)
        try container.encode(cost, forKey: .cost)
        try container.encode(calls, forKey: .calls)
    }
}

extension InvocationRecord.Call: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id, model, kind, usage
        case finishReason = "finish_reason"
    }

    /// A missing finish reason is `null`, not left out.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(model, forKey: .model)
        try container.encode(kind, forKey: .kind)
        try container.encode(finishReason, forKey: .finishReason)
        try container.encode(usage, forKey: .usage)
    }
}
