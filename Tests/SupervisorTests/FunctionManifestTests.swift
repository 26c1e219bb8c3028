import Supervisor
import Testing

@Suite struct FunctionManifestTests {
    func manifest(_ yaml: String) throws -> FunctionManifest {
        try FunctionManifest(yaml: yaml, file: "function.yaml", defaultName: "folder", knownModels: ["chat", "embed"])
    }

    @Test func everyKeyIsRead() throws {
        let read = try manifest(
            """
            name: generate
            routes: [POST /generate, "PUT /collections/{name}/documents"]
            handler: ./generate --fast
            models: [chat, embed]
            adapter: support
            environment: {LOG_LEVEL: debug}
            scale:  {min: 1, max: 8, concurrency: 16, idle: 90s}
            limits: {timeout: 2m, body: 2MiB, memory: 256MiB}
            health: {timeout: 5s, probe: {method: POST, path: /generate?x=1, body: '{"prompt": ""}', status: 400}}
            isolation: {read: [/srv/data], write: /srv/out, network: true}
            """)
        #expect(read.health.timeout == .seconds(5))
        #expect(read.health.probe == .init(method: "POST", path: "/generate?x=1", body: #"{"prompt": ""}"#, status: 400))
        #expect(read.isolation.read == ["/srv/data"] && read.isolation.write == ["/srv/out"] && read.isolation.network)
        #expect(read.name == "generate")
        #expect(read.routes.map(\.description) == ["POST /generate", "PUT /collections/{name}/documents"])
        #expect(read.routes[1].parameterNames == ["name"])
        #expect(read.handler == .program(["./generate", "--fast"]))
        #expect(read.models == ["chat", "embed"])
        #expect(read.adapter == "support" && read.modelNames.map { "\($0)" } == ["chat:support", "embed"], "it is the first one's")
        #expect(read.environment == ["LOG_LEVEL": "debug"])
        #expect(read.scale == .init(min: 1, max: 8, concurrency: 16, idle: .seconds(90)))
        #expect(read.limits == .init(timeout: .seconds(120), body: 2 << 20, memory: 256 << 20))
    }

    @Test func whatIsLeftOutHasDefaults() throws {
        let read = try manifest("routes: GET /x\nhandler: php-cgi\nscript: index.php\n")
        #expect(read.name == "folder" && read.script == "index.php" && read.models.isEmpty)
        #expect(read.scale == .init() && read.limits == .init() && read.adapter == nil && read.modelNames.isEmpty)
    }

    @Test(arguments: [
        ("routes: [POST /a]\nhandler: ./a\nmodles: [chat]\n", 3, "did you mean 'models'?"),
        ("routes: [POST /a]\nhandler: ./a\nscale:\n  max: many\n", 4, "'max' must be a whole number"),
        ("routes: [POST /a]\nhandler: ./a\nscale: {min: 3, max: 2}\n", 3, "'min' is 3, more than 'max' (2)"),
        ("routes: [POST /a]\nhandler: ./a\nhealth: {probe: {status: 200}}\n", 3, "'path' is missing"),
        ("routes: [POST /a]\nhandler: ./a\nhealth: {probe: {path: a}}\n", 3, "'path' must start with '/'"),
        ("routes: [POST /a]\nhandler: ./a\nisolation: {read: [data]}\n", 3, "'read' must be absolute paths"),
        ("routes: [POST /a]\nhandler: ./a\nisolation: {network: maybe}\n", 3, "'network' must be true or false"),
        ("routes: [POST /a]\nhandler: ./a\nlimits: {timeout: 5 minutes}\n", 3, "'timeout' must be a duration"),
        ("routes: [POST /a]\nhandler: ./a\nlimits: {body: 1TiB}\n", 3, "'body' must be a size"),
        ("routes: [POST a]\nhandler: ./a\n", 1, "'routes' must be like"),
        ("routes: [FETCH /a]\nhandler: ./a\n", 1, "'routes' must be like"),
        ("routes: [POST /a, POST /a]\nhandler: ./a\n", 1, "names POST /a twice"),
        ("name: My Function\nroutes: [POST /a]\nhandler: ./a\n", 1, "'name' must be 1 to 40"),
        ("routes: [POST /a]\n", 1, "'handler' is missing"),
        ("handler: ./a\n", 1, "'routes' is missing"),
        ("routes: [POST /a]\nhandler: ./a\nprompt: a.mustache\n", 3, "exclude each other"),
        ("routes: [POST /a]\nprompt: a.mustache\n", 1, "'models' is missing"),
        ("routes: [POST /a]\nroutes: [POST /b]\nhandler: ./a\n", 2, "appears twice"),
        ("routes: [POST /a]\nhandler: ./a\nenvironment: {SWIFTLET_DATA: /}\n", 3, "is set by Swiftlet"),
        ("routes: [POST /a]\nhandler: ./a\nmodels: [chat, gpt]\n", 3, "names 'gpt', which is not in models.yaml"),
        ("routes: [GET /a/{id}]\nhandler: ./a\n", 1, "in quotes"),
        ("routes: [POST /a]\nhandler: ./a\nmodels: [chat]\nadapter: My Adapter\n", 4, "'adapter' must be 1 to 40 of a-z, 0-9 and '-'"),
        ("routes: [POST /a]\nhandler: ./a\nmodels: [chat]\nadapter: [support]\n", 4, "'adapter'"),
        ("routes: [POST /a]\nhandler: ./a\nadapter: support\n", 3, "'adapter' needs the model that has it"),
        ("routes: [POST /a\nhandler: ./a\n", 2, "not valid YAML"),
        ("- a\n- b\n", 1, "expected a mapping"),
    ])
    func mistakesAreNamedWithTheirLine(yaml: String, line: Int, message: String) throws {
        let error = #expect(throws: ManifestError.self) { try manifest(yaml) }
        #expect(error?.line == line, "\(error?.description ?? "")")
        #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func anEmptyFileIsAnError() {
        #expect(throws: ManifestError.self) { try manifest("") }
    }
}
