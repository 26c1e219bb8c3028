import Mustache
import SwiftletSystem

/// An nginx configuration that terminates HTTP and passes everything to the gateway by FastCGI.
package struct NginxConfiguration: Sendable {
    /// Where it listens, without TLS.
    package var listen: ListenAddress
    /// The gateway's unix socket.
    package var gateway: String
    /// The largest request body in bytes; functions set smaller limits of their own.
    package var largestBody: Int
    /// Where nginx puts its pid and temporary files, and logs; `nil` leaves nginx's own places.
    package var folder: String?
    /// The user that nginx's workers run as, where nginx is started by root.
    package var user: String?

    /// Files that one nginx worker may have open, connections included.
    package var files = 20_000
    /// Connections of one nginx worker.
    private var connections: Int { max(64, min(8192, files - 64)) }
    /// Requests at once, over all workers. One of them may get all, and a request takes two connections: a client's and the gateway's.
    private var requests: Int { min(3000, (connections - 32) / 2) }

    package init(listen: ListenAddress, gateway: String, largestBody: Int, folder: String? = nil, user: String? = nil) {
        self.listen = listen
        self.gateway = gateway
        self.largestBody = largestBody
        self.folder = folder
        self.user = user
    }

    /// A whole configuration file, as `nginx -c` takes it.
    package func text() throws -> String {
        let template = try MustacheTemplate(string: "{{% CONTENT_TYPE:TEXT }}" + Self.template)
        var values = [
            "listen": "\(listen)",
            "gateway": Self.quoted(gateway),
            "largest_body": "\(largestBody)",
            "files": "\(files)",
            "connections": "\(connections)",
            "requests": "\(requests)",
            "too_many": Self.error("The server has as many requests as it takes. Try again in a moment.", code: "rate_limit_exceeded", type: "rate_limit_error"),
            "too_large": Self.error("The request body is larger than the \(largestBody) bytes that any function takes.", code: "request_too_large"),
            "bad_gateway": Self.error("The response ended early: the server or the function failed.", code: "bad_gateway", type: "server_error"),
            "unavailable": Self.error("The server is not running at the moment. Try again shortly.", code: "unavailable", type: "server_error"),
            "bad_request": Self.error("nginx could not read the request: check the request line and the headers.", code: "bad_request"),
        ]
        values["folder"] = folder
        values["user"] = user
        return template.render(values)
    }

    private static func quoted(_ path: String) -> String { path.replacing("\"", with: "\\\"") }

    private static func error(_ message: String, code: String, type: String = "invalid_request_error") -> String {
        #"{"error":{"code":"\#(code)","message":"\#(message)","param":null,"type":"\#(type)"}}"#
    }
}
