import HTTPTypes

/// Fields of ours, and those of others that HTTPTypes does not name.
extension HTTPField.Name {
    // What a client is told of its call.
    static let invocationID = HTTPField.Name("x-swiftlet-invocation-id")!
    /// Which version of the function answered.
    static let functionVersion = HTTPField.Name("x-swiftlet-function-version")!
    static let cost = HTTPField.Name("x-swiftlet-cost-usd")!
    static let queueTime = HTTPField.Name("x-swiftlet-queue-ms")!
    static let coldStartTime = HTTPField.Name("x-swiftlet-cold-start-ms")!
    static let totalTime = HTTPField.Name("x-swiftlet-total-ms")!
    /// `hit` or `miss`, for functions that keep answers.
    static let cacheStatus = HTTPField.Name("x-swiftlet-cache")!
    /// As OpenAI's API says it, and its clients prefer it.
    static let retryAfterMilliseconds = HTTPField.Name("retry-after-ms")!
    static let idempotencyKey = HTTPField.Name("idempotency-key")!
    static let idempotentReplayed = HTTPField.Name("idempotent-replayed")!

    /// To nginx: whether it collects a response before it passes it on.
    static let accelBuffering = HTTPField.Name("x-accel-buffering")!
    /// From a worker: its connection may stay open for the next request.
    static let keepConnection = HTTPField.Name("x-swiftlet-keep-connection")!
}
