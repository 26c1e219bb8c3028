/// What a client sees when a call fails: an HTTP status and OpenAI's error object,
/// `{"error": {"message", "type", "param", "code"}}` (https://platform.openai.com/docs/guides/error-codes).
public struct APIError: Error, Hashable, Sendable {
    /// HTTP status.
    public var status: Int
    /// A sentence for a person: what is wrong and what to do.
    public var message: String
    /// OpenAI's error class, for example `invalid_request_error`.
    public var type: String
    /// The request field at fault.
    public var parameter: String?
    /// A word for programs, for example `model_not_found`.
    public var code: String?
    /// When the same request can succeed: `retry-after` and `retry-after-ms`, which are no part of the object.
    public var retryAfter: Duration?

    /// Where one of the factories below fits, it has the status, type and code that clients know.
    public init(
        status: Int, message: String, type: String, parameter: String? = nil, code: String? = nil, retryAfter: Duration? = nil
    ) {
        self.retryAfter = retryAfter
        self.status = status
        self.message = message
        self.type = type
        self.parameter = parameter
        self.code = code
    }
}

extension APIError: Codable {
    private enum Outer: String, CodingKey { case error }
    private enum Inner: String, CodingKey { case message, type, param, code }

    public func encode(to encoder: any Encoder) throws {
        var outer = encoder.container(keyedBy: Outer.self)
        var inner = outer.nestedContainer(keyedBy: Inner.self, forKey: .error)
        try inner.encode(message, forKey: .message)
        try inner.encode(type, forKey: .type)
        try inner.encode(parameter, forKey: .param)
        try inner.encode(code, forKey: .code)
    }

    /// The status is not part of the object, so it is set from the response's afterwards; 500 until then.
    public init(from decoder: any Decoder) throws {
        let inner = try decoder.container(keyedBy: Outer.self).nestedContainer(keyedBy: Inner.self, forKey: .error)
        self.init(
            status: 500,
            message: try inner.decode(String.self, forKey: .message),
            type: try inner.decodeIfPresent(String.self, forKey: .type) ?? "server_error",
            parameter: try inner.decodeIfPresent(String.self, forKey: .param),
            code: try inner.decodeIfPresent(String.self, forKey: .code))
    }
}

extension APIError {
    /// 400: what is wrong with the request, and the field at fault.
    public static func invalidRequest(_ message: String, parameter: String? = nil, code: String? = nil) -> APIError {
        APIError(status: 400, message: message, type: "invalid_request_error", parameter: parameter, code: code)
    }

    /// 401: there is no key, or not one that counts.
    public static func invalidKey(_ message: String) -> APIError {
        APIError(status: 401, message: message, type: "invalid_request_error", code: "invalid_api_key")
    }

    /// 404: what the request names is not there.
    public static func notFound(_ message: String, parameter: String? = nil, code: String = "not_found") -> APIError {
        APIError(status: 404, message: message, type: "invalid_request_error", parameter: parameter, code: code)
    }

    /// 404 with OpenAI's code `model_not_found`.
    /// - Parameter model: the name as the client wrote it.
    public static func modelNotFound(_ model: String) -> APIError {
        .notFound(
            "The model '\(model)' does not exist or this function may not use it. GET /v1/models lists the models.",
            parameter: "model", code: "model_not_found")
    }

    /// 413: the body is larger than `limit` bytes.
    public static func tooLarge(limit: Int) -> APIError {
        APIError(
            status: 413, message: "The request body is larger than the \(limit) bytes this route takes.",
            type: "invalid_request_error", code: "request_too_large")
    }

    /// 402: an empty budget. OpenAI sends this code with 429, which clients retry; nothing changes by itself here, so it is 402.
    public static func insufficientQuota(_ message: String) -> APIError {
        APIError(status: 402, message: message, type: "insufficient_quota", code: "insufficient_quota")
    }

    /// 400: a prompt that does not fit the model, with both numbers, in tokens.
    public static func contextLengthExceeded(limit: Int, requested: Int) -> APIError {
        .invalidRequest(
            "This model's maximum context length is \(limit) tokens. However, your request has \(requested) tokens. Please shorten it.",
            parameter: "messages", code: "context_length_exceeded")
    }

    /// 500. Nothing internal leaks: the cause goes to the log, with the invocation id.
    public static let internalError = APIError(
        status: 500, message: "The server had an error while processing your request.", type: "server_error")

    /// 502: what the server relies on, a model or another function, failed or said nonsense.
    public static func badGateway(_ message: String) -> APIError {
        APIError(status: 502, message: message, type: "server_error", code: "bad_gateway")
    }

    /// 429: too much is asked for at the moment, and this is when to ask again.
    public static func busy(_ message: String, retryAfter: Duration) -> APIError {
        APIError(status: 429, message: message, type: "rate_limit_error", code: "rate_limit_exceeded", retryAfter: retryAfter)
    }

    /// 503: nobody can be served at the moment.
    public static func overloaded(_ message: String) -> APIError {
        APIError(status: 503, message: message, type: "server_error", code: "overloaded")
    }

    /// 504: the deadline passed, or somebody did not answer in time.
    public static func timeout(_ message: String) -> APIError {
        APIError(status: 504, message: message, type: "server_error", code: "timeout")
    }
}
