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
                .init(name: "function.yaml", text: "name: \(name)\nroutes: [POST /\(name), GET /\(name)]\nhandler: ./\(name).py\nmodels: [chat]\nscale: {max: 4, idle: 60s}\nlimits: {timeout: 30s}\n"),
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
        import http.client, json, os, socket
        from flipflop import WSGIServer

        # A model that function.yaml names: OpenAI's API on a unix socket.
        class Model(http.client.HTTPConnection):
            def __init__(self, alias):
                super().__init__("model")
                self.path = json.loads(os.environ["SWIFTLET_MODELS"])[alias]

            def connect(self):
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.connect(self.path)

        def application(environ, start_response):
            question = environ["wsgi.input"].read().decode() or "Who are you?"
            model = Model("chat")
            model.request("POST", "/v1/chat/completions", json.dumps({"model": "chat", "messages": [{"role": "user", "content": question}]}),
                          {"Authorization": "Bearer " + environ["SWIFTLET_INVOCATION_TOKEN"]})  # says whose call it is
            response = model.getresponse()
            start_response(f"{response.status} {response.reason}", [("Content-Type", "application/json")])
            return [response.read()]

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
