/// The files that `swiftlet new` writes.
struct FunctionTemplate {
    var name: String
    var text: String
    var isProgram = false

    static func files(for kind: NewFunction.Kind, name: String) -> [FunctionTemplate] {
        switch kind {
        case .prompt:
            [
                .init(name: "function.yaml", text: "name: \(name)\nroutes: [POST /\(name)]\nprompt: \(name).mustache\nmodels: [chat]\nscale: {concurrency: 16}\n"),
                .init(name: "\(name).mustache", text: "Repeat after me: {{text}}\n"),
            ]
        case .python:
            [
                .init(name: "function.yaml", text: "name: \(name)\nroutes: [POST /\(name), GET /\(name)]\nhandler: ./\(name).py\nscale: {max: 4, idle: 60s}\nlimits: {timeout: 30s}\n"),
                .init(name: "\(name).py", text: python, isProgram: true),
            ]
        case .swift:
            [
                .init(name: "function.yaml", text: "name: \(name)\nroutes: [POST /\(name), GET /\(name)]\nhandler: ./\(name)\nscale: {max: 8, concurrency: 16, idle: 60s}\nlimits: {timeout: 30s}\n"),
                .init(name: "\(name.prefix(1).uppercased() + name.dropFirst()).swift", text: swift(name)),
            ]
        }
    }

    private static let python = """
        #!/usr/bin/env python3
        import json, os
        from flipflop import WSGIServer

        def application(environ, start_response):
            body = json.dumps({"hello": os.environ["SWIFTLET_FUNCTION"], "invocation_id": environ["SWIFTLET_INVOCATION_ID"]})
            start_response("200 OK", [("Content-Type", "application/json")])
            return [body.encode()]

        WSGIServer(application).run()

        """

    private static func swift(_ name: String) -> String {
        """
        import FunctionKit

        @main
        struct \(name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()): Function {
            func handle(_ request: Request, _ response: ResponseWriter, _ context: Context) async throws {
                try await response.send("Hello from \(name)!\\n")
            }
        }

        """
    }
}
