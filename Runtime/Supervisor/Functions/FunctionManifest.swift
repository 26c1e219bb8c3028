import Wire

/// A `function.yaml`: what a function is called, where it answers, what runs it and within which bounds.
///
/// ```yaml
/// name: generate                 # default: the folder's name
/// routes: [POST /generate, POST /v1/embeddings idempotent]
/// handler: ./generate            # a FastCGI program and its arguments; or `prompt: summarize.mustache` and no code
/// script: index.php              # optional: passed as SCRIPT_FILENAME, for php-cgi
/// models: [chat]                 # the aliases it may call
/// adapter: support               # of the first of them: the function has that model with this adapter only
/// environment: {LOG_LEVEL: debug}
/// scale:  {min: 0, max: 8, concurrency: 16, idle: 60s}
/// limits: {timeout: 120s, idle_timeout: 30s, body: 1MiB, memory: 256MiB, max_requests: 10000}
/// health: {timeout: 10s, probe: {method: GET, path: /hello, status: 200}}
/// isolation: {read: [/srv/data], write: [/srv/out], network: true}
/// cache: {ttl: 1h, size: 64MiB}  # answer exact repeats of deterministic calls from the response cache
/// ```
package struct FunctionManifest: Hashable, Sendable {
    package enum Handler: Hashable, Sendable, CustomStringConvertible {
        /// A program and its arguments. A program with a slash is relative to the function's folder; another is looked up in `PATH`.
        case program([String])
        /// A mustache template, run by Swiftlet's own prompt handler.
        case prompt(String)

        package var description: String {
            switch self {
            case .program(let words): words.joined(separator: " ")
            case .prompt(let template): template
            }
        }
    }

    package struct Scale: Hashable, Sendable {
        package var min: Int
        package var max: Int
        /// Requests that one worker takes at once. Programs that are not written with FunctionKit mostly take one.
        package var concurrency: Int
        /// How long a worker stays without work.
        package var idle: Duration

        package init(min: Int = 0, max: Int = 8, concurrency: Int = 1, idle: Duration = .seconds(60)) {
            self.min = min
            self.max = max
            self.concurrency = concurrency
            self.idle = idle
        }
    }

    package struct Limits: Hashable, Sendable {
        /// From arrival to the last byte, waiting included.
        package var timeout: Duration
        /// Between two pieces of a response, and before the first; `nil` for no limit but `timeout`.
        package var idleTimeout: Duration?
        /// Bytes of request body.
        package var body: Int
        /// Bytes per worker: all that it and its children use where groups can be made (``MemoryGroups``), its private data
        /// (`RLIMIT_DATA`) elsewhere; `nil` for no limit.
        package var memory: Int?
        /// Requests after which a worker is replaced; `nil` for never.
        package var maxRequests: Int?

        package init(timeout: Duration = .seconds(120), body: Int = 1 << 20, memory: Int? = nil) {
            self.timeout = timeout
            self.body = body
            self.memory = memory
        }
    }

    /// What a new version must do before it takes traffic.
    package struct Health: Hashable, Sendable {
        package struct Probe: Hashable, Sendable {
            package var method: String
            /// With a query, if any.
            package var path: String
            package var body: String
            /// The status that counts as healthy; `nil` for any from 200 to 299.
            package var status: Int?

            package init(method: String = "GET", path: String, body: String = "", status: Int? = nil) {
                self.method = method
                self.path = path
                self.body = body
                self.status = status
            }
        }

        /// The request that must be answered; without one, a worker must show that it speaks FastCGI.
        package var probe: Probe?
        /// From the worker's start to its answer.
        package var timeout: Duration = .seconds(10)

        package init() {}
    }

    /// What workers may reach beside their own folder, the system's libraries and the sockets of their models.
    package struct Isolation: Hashable, Sendable {
        /// Absolute paths of files and folders, with all below them.
        package var read: [String] = []
        package var write: [String] = []
        /// Whether they may use TCP.
        package var network = false

        package init() {}
    }

    /// For how long, and in how much room, answers are kept that the same request would get again.
    package struct Cache: Hashable, Sendable {
        package var ttl: Duration = .seconds(3600)
        /// Bytes of all answers of this function.
        package var size = 64 << 20

        package init() {}
    }

    package var name: String
    package var routes: [Route]
    package var handler: Handler
    package var script: String?
    package var models: [String] = []
    /// The adapter that the first model has for this function.
    package var adapter: String?
    package var environment: [String: String] = [:]
    package var scale = Scale()
    package var limits = Limits()
    package var health = Health()
    package var isolation = Isolation()
    /// `nil` where every call runs.
    package var cache: Cache?

    /// What its workers may call.
    package var modelNames: [ModelName] {
        models.enumerated().map { ModelName(alias: $1, adapter: $0 == 0 ? adapter : nil) }
    }

    /// The longest request body a function may ask for; nginx's own limit.
    package static let largestBody = 64 << 20
}

/// One route of a function: a method and a path whose `{name}` segments match one segment each.
package struct Route: Hashable, Sendable, CustomStringConvertible {
    package let method: String
    package let path: String
    /// Whether a request may be sent to a second worker when the first dies before it answers: `POST /embed idempotent`.
    /// GET, HEAD, PUT, DELETE and OPTIONS are (RFC 9110 §9.2.2).
    package let isIdempotent: Bool
    /// The names in braces, in order.
    package let parameterNames: [String]

    /// - Parameter text: for example `PUT /collections/{name}/documents`.
    package init?(_ text: String) {
        var parts = text.split(separator: " ")
        let isMarked = parts.count == 3 && parts[2] == "idempotent"
        if isMarked { parts.removeLast() }
        guard parts.count == 2, Self.methods.contains(String(parts[0])), parts[1].hasPrefix("/") else { return nil }
        let segments = parts[1].split(separator: "/")
        guard segments.allSatisfy(Self.isSegment), !parts[1].contains("//") else { return nil }
        method = String(parts[0])
        path = String(parts[1])
        isIdempotent = isMarked || !["POST", "PATCH"].contains(method)
        parameterNames = segments.filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    package var description: String { "\(method) \(path)" }

    private static let methods: Set = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    private static func isSegment(_ segment: Substring) -> Bool {
        if segment.hasPrefix("{"), segment.hasSuffix("}"), segment.count > 2 {
            return segment.dropFirst().dropLast().allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        }
        return segment.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._~".contains($0)) }
    }
}
