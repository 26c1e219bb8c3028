import FastCGI
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Supervisor
import Wire

extension FastCGIRequest {
    /// The CGI parameters that tell a worker of one request, and what Swiftlet adds to them.
    init(_ request: Request, parameters: Parameters, function: FunctionRunner, route: Route, invocation: Invocation) {
        self.init(request.head, function: function)
        set("SWIFTLET_INVOCATION_ID", "\(invocation.id)")
        set(Self.tokenName, invocation.token)
        set("SWIFTLET_DEADLINE", "\(Int64(invocation.deadlineTime.timeIntervalSince1970 * 1000))")
        set("SWIFTLET_TENANT", invocation.caller.tenant)
        set("SWIFTLET_ROUTE", route.description)
        // Segments of the decoded path would shift if one held an encoded slash, so each is decoded by itself.
        for name in route.parameterNames {
            set("SWIFTLET_PATH_\(name.uppercased())", Self.percentDecoded(parameters.get(name) ?? ""))
        }
    }

    /// What a worker is told of every request, also of a probe, for which nobody pays and which may call no model.
    init(_ head: HTTPRequest, function: FunctionRunner) {
        self.init(head)
        // A function is mounted at the root: what WSGI, PHP and others route by is the whole path.
        set("PATH_INFO", value(of: "DOCUMENT_URI"))
        set("SCRIPT_NAME", "")
        if let script = function.manifest.script {
            set("SCRIPT_FILENAME", "\(function.folder)/\(script)")
            // php-cgi built with force-redirect serves nothing without it.
            set("REDIRECT_STATUS", "200")
        }
    }

    private static let tokenName = "SWIFTLET_INVOCATION_TOKEN"

    /// The same request for another try.
    func with(token: String) -> FastCGIRequest {
        var request = self
        request.set(Self.tokenName, token)
        return request
    }

    private func value(of name: String) -> String { parameters.first { $0.name == name }?.value ?? "" }

    private mutating func set(_ name: String, _ value: String) {
        parameters.removeAll { $0.name == name }
        parameters.append((name, value))
    }
}
