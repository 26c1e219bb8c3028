import Synchronization

/// One HTTP request, body included.
public struct Request: Sendable {
    /// The body's bytes, none where there is no body. The function's `limits.body` is the most there can be.
    public let body: [UInt8]
    private let parameters: Parameters
    private let dictionaries: Dictionaries

    init(_ parameters: Parameters, body: [UInt8]) {
        self.body = body
        self.parameters = parameters
        dictionaries = Dictionaries(parameters)
    }

    /// The HTTP method, for example `POST`.
    public var method: String { parameters.method }
    /// The URL's path as it was sent, without the query.
    public var path: String { parameters.path }
    /// The line of `function.yaml` that matched, for example `PUT /collections/{name}/documents`.
    public var route: String { parameters.route }
    /// The values of the route's `{name}`s, decoded.
    public var pathParameters: [String: String] { dictionaries.made.withLock { $0.pathParameters } }
    /// The query, decoded; the last one of equal names.
    public var query: [String: String] { dictionaries.made.withLock { $0.query } }
    /// Header fields by lower-case name. The key that the client showed is not among them.
    public var headers: [String: String] { dictionaries.made.withLock { $0.headers } }

    /// The body as `type`.
    /// - Throws: ``APIError`` with status 400 that names the field at fault.
    public func json<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try JSON.decode(type, from: body)
    }
}

/// What most handlers ask for little of: each is made when it is first asked for, and then kept.
private final class Dictionaries: Sendable {
    struct Made {
        let parameters: Parameters
        lazy var pathParameters = parameters.pathParameters
        lazy var query = parameters.query
        lazy var headers = parameters.headers
    }

    let made: Mutex<Made>

    init(_ parameters: Parameters) { made = Mutex(Made(parameters: parameters)) }
}
