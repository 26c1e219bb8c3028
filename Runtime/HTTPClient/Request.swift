import FoundationEssentials

/// HTTP over libcurl: unix sockets and URLs, one thread for all transfers of the process.
package enum HTTPClient {}

extension HTTPClient {
    package struct Request: Sendable {
        package var method: String
        /// `http://` or `https://`. The host is only a name where `unixSocket` is set.
        package var url: String
        /// Path of the unix socket to connect to instead of the URL's host.
        package var unixSocket: String?
        package var headers: [Field]
        package var body: [UInt8]?
        package var timeouts: Timeouts

        package init(
            method: String = "GET", url: String, unixSocket: String? = nil, headers: [Field] = [], body: [UInt8]? = nil,
            timeouts: Timeouts = Timeouts()
        ) {
            self.method = method
            self.url = url
            self.unixSocket = unixSocket
            self.headers = headers
            self.body = body
            self.timeouts = timeouts
        }

        /// Who is called, for error messages: the socket or the URL without credentials and query.
        var target: String {
            if let unixSocket { return "The socket \(unixSocket)" }
            var shown = url.prefix { $0 != "?" }
            if let scheme = shown.firstRange(of: "://"), let at = shown.lastIndex(of: "@") {
                shown.removeSubrange(scheme.upperBound...at)
            }
            return String(shown)
        }
    }

    package struct Timeouts: Hashable, Sendable {
        /// Until there is a connection.
        package var connect: Duration
        /// The longest silence of the peer; a consumer that lags does not count. `nil`: no limit of its own.
        package var idle: Duration?
        /// From start to last byte. `nil`: no limit of its own.
        package var total: Duration?

        package init(connect: Duration = .seconds(10), idle: Duration? = nil, total: Duration? = nil) {
            self.connect = connect
            self.idle = idle
            self.total = total
        }
    }

    /// One header field; names compare without case.
    package struct Field: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
}

extension [HTTPClient.Field] {
    /// The first value of `name`.
    package subscript(name: String) -> String? {
        first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

extension Duration {
    /// For libcurl, where 0 means no limit: at least 1.
    var milliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(max(1, min(seconds, 1_000_000) * 1000 + attoseconds / 1_000_000_000_000_000))
    }
}
