import FastCGI
import FoundationEssentials
import HTTPTypes
import Supervisor
import Wire

extension FastCGIRequest {
    /// The CGI parameters that tell a worker of one request, and what Swiftlet adds to them.
    init(_ request: HTTPRequest, path: [String], function: FunctionRunner, route: Route, invocation: Invocation) {
        self.init(request, function: function)
        // No header's name begins like this.
        append("SWIFTLET_INVOCATION_ID", invocation.id.description)
        append(Self.tokenName, invocation.token)
        append("SWIFTLET_DEADLINE", String(Int64(invocation.deadlineTime.timeIntervalSince1970 * 1000)))
        append("SWIFTLET_TENANT", invocation.caller.tenant)
        append("SWIFTLET_ROUTE", invocation.route)
        // Segments of the decoded path would shift if one held an encoded slash, so each is decoded by itself.
        for (name, segment) in zip(route.parameterNames, path) {
            append("SWIFTLET_PATH_\(name.uppercased())", Self.percentDecoded(segment))
        }
    }

    /// What a worker is told of every request, also of a probe, for which nobody pays and which may call no model.
    init(_ head: HTTPRequest, function: FunctionRunner) {
        // What WSGI, PHP and others route by is the whole path.
        self.init(head, isMountedAtRoot: true)
        if let script = function.manifest.script {
            append("SCRIPT_FILENAME", "\(function.folder)/\(script)")
            // php-cgi built with force-redirect serves nothing without it.
            append("REDIRECT_STATUS", "200")
        }
    }

    private static let tokenName = "SWIFTLET_INVOCATION_TOKEN"

    /// The same request for another try.
    func with(token: String) -> FastCGIRequest {
        FastCGIRequest(parameters: parameters.map { $0.name == Self.tokenName ? (Self.tokenName, token) : $0 })
    }
}
