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
    /// The route that matched, as in `function.yaml`: `POST /generate`.
    package var route: String
    package var started: Date

    package init(id: UUIDv7 = UUIDv7(), key: String, tenant: String, function: String, route: String, started: Date = .now) {
        self.id = id
        self.key = key
        self.tenant = tenant
        self.function = function
        self.route = route
        self.started = started
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
    /// From admission to the first byte of the body.
    package var firstByte: Duration?

    package init(status: InvocationStatus, httpStatus: Int?, duration: Duration, queued: Duration = .zero, firstByte: Duration? = nil) {
        self.status = status
        self.httpStatus = httpStatus
        self.duration = duration
        self.queued = queued
        self.firstByte = firstByte
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
    }

    package let id: UUIDv7
    /// The id of the API key.
    package let key: String
    package let tenant: String
    package let function: String
    package let route: String
    package let status: InvocationStatus
    package let httpStatus: Int?
    package let started: Date
    package let durationMilliseconds: Int64?
    package let queueMilliseconds: Int64?
    package let firstByteMilliseconds: Int64?
    /// In the order in which they began.
    package let calls: [Call]

    /// The sum over all calls.
    package var usage: TokenUsage { calls.reduce(into: TokenUsage()) { $0 += $1.usage } }
}

extension InvocationRecord: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id, object, function, route, status, created, usage, calls
        case httpStatus = "http_status"
        case duration = "duration_ms"
        case queue = "queue_ms"
        case firstByte = "time_to_first_byte_ms"
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode("invocation", forKey: .object)
        try container.encode(function, forKey: .function)
        try container.encode(route, forKey: .route)
        try container.encode(status, forKey: .status)
        try container.encode(httpStatus, forKey: .httpStatus)
        try container.encode(Int64(started.timeIntervalSince1970), forKey: .created)
        try container.encode(durationMilliseconds, forKey: .duration)
        try container.encode(queueMilliseconds, forKey: .queue)
        try container.encode(firstByteMilliseconds, forKey: .firstByte)
        try container.encode(usage, forKey: .usage)
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
