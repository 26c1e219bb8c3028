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
        parameters += [
            ("SWIFTLET_INVOCATION_ID", "\(invocation.id)"),
            (Self.tokenName, invocation.token),
            ("SWIFTLET_DEADLINE", "\(Int64(invocation.deadlineTime.timeIntervalSince1970 * 1000))"),
            ("SWIFTLET_TENANT", invocation.caller.tenant),
            ("SWIFTLET_ROUTE", route.description),
        ]
        // Segments of the decoded path would shift if one held an encoded slash, so each is decoded by itself.
        for (name, segment) in zip(route.parameterNames, path) {
            parameters.append(("SWIFTLET_PATH_\(name.uppercased())", Self.percentDecoded(segment)))
        }
    }

    /// What a worker is told of every request, also of a probe, for which nobody pays and which may call no model.
    init(_ head: HTTPRequest, function: FunctionRunner) {
        self.init(head)
        // A function is mounted at the root: what WSGI, PHP and others route by is the whole path.
        parameters.append(("PATH_INFO", value(of: "DOCUMENT_URI")))
        set("SCRIPT_NAME", "")
        if let script = function.manifest.script {
            parameters.append(("SCRIPT_FILENAME", "\(function.folder)/\(script)"))
            // php-cgi built with force-redirect serves nothing without it.
            parameters.append(("REDIRECT_STATUS", "200"))
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

    /// In the place of one that is there.
    private mutating func set(_ name: String, _ value: String) {
        if let index = parameters.firstIndex(where: { $0.name == name }) { parameters[index].value = value }
    }
}
