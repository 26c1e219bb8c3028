import FoundationEssentials

extension FunctionManifest {
    /// The manifest of the function in `folder`.
    /// - Parameters:
    ///   - defaultName: the function's name where the manifest gives none.
    ///   - models: the aliases there are.
    /// - Throws: ``ManifestError`` that names the file, the line and what to write there.
    package init(folder: String, defaultName: String, models: Set<String>) throws {
        let file = "\(folder)/function.yaml"
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ManifestError(file: file, message: "cannot be read; a function's folder needs a function.yaml")
        }
        guard data.count <= 1 << 16 else { throw ManifestError(file: file, message: "is larger than 64 KiB") }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ManifestError(file: file, message: "is not UTF-8 text")
        }
        try self.init(yaml: text, file: file, defaultName: defaultName, knownModels: models)
    }

    /// - Parameters:
    ///   - file: the name that errors show.
    ///   - defaultName: the function's name where the text gives none.
    ///   - knownModels: the aliases there are.
    package init(yaml text: String, file: String, defaultName: String, knownModels: Set<String>) throws {
        let reader = try YAMLReader(text, file: file)
        try reader.allow("name", "routes", "handler", "prompt", "script", "models", "adapter", "environment", "scale", "limits", "health", "isolation", "cache")

        let name = try reader.text("name") ?? defaultName
        guard Self.isName(name) else {
            throw reader.failure("name", "must be 1 to 40 of a-z, 0-9 and '-', starting with a letter (it is '\(name)')")
        }
        let routes = try (reader.list("routes") ?? []).map { text in
            guard let route = Route(text) else {
                throw reader.failure("routes", "must be like 'POST /\(name)' or 'GET /items/{id}' (found '\(text)')")
            }
            return route
        }
        guard !routes.isEmpty else { throw reader.failure("routes", "is missing: write for example 'routes: [POST /\(name)]'") }
        if let twice = Dictionary(grouping: routes, by: \.description).first(where: { $0.value.count > 1 }) {
            throw reader.failure("routes", "names \(twice.key) twice")
        }
        self.name = name
        self.routes = routes

        switch (try reader.list("handler"), try reader.text("prompt")) {
        case (let handler?, nil):
            // `handler: php-cgi -d x=1` and `handler: [php-cgi, -d, x=1]` say the same.
            let words = handler.count == 1 ? handler[0].split(separator: " ").map(String.init) : handler
            guard !words.isEmpty else { throw reader.failure("handler", "must name a program") }
            self.handler = .program(words)
        case (nil, let template?):
            self.handler = .prompt(template)
        case (nil, nil):
            throw reader.failure("handler", "is missing: name a FastCGI program, or a template with 'prompt:'")
        case (_?, _?):
            throw reader.failure("prompt", "and 'handler' exclude each other")
        }

        script = try reader.text("script")
        models = try reader.list("models") ?? []
        if let unknown = models.first(where: { !knownModels.contains($0) }) {
            let known = knownModels.isEmpty ? "which names no model yet" : "which names \(knownModels.sorted().joined(separator: ", "))"
            throw reader.failure("models", "names '\(unknown)', which is not in models.yaml, \(known)")
        }
        adapter = try reader.text("adapter")
        if let adapter {
            guard Self.isName(adapter) else {
                throw reader.failure("adapter", "must be 1 to 40 of a-z, 0-9 and '-', starting with a letter (it is '\(adapter)')")
            }
            guard !models.isEmpty else { throw reader.failure("adapter", "needs the model that has it, as the first of 'models'") }
        }
        if case .prompt = handler, models.isEmpty {
            throw reader.failure("models", "is missing: a prompt needs the model it is for, for example 'models: [chat]'")
        }
        if let variables = try reader.mapping("environment") {
            for key in variables.keys {
                guard !key.hasPrefix("SWIFTLET_") else {
                    throw variables.failure(key, "is set by Swiftlet; choose another name")
                }
                environment[key] = try variables.text(key)
            }
        }
        if let scale = try reader.mapping("scale") { self.scale = try Scale(scale) }
        if let limits = try reader.mapping("limits") { self.limits = try Limits(limits) }
        if let health = try reader.mapping("health") { self.health = try Health(health) }
        if let isolation = try reader.mapping("isolation") { self.isolation = try Isolation(isolation) }
        if let cache = try reader.mapping("cache") {
            guard !models.isEmpty else { throw reader.failure("cache", "has no use: the function calls no models, and only their answers are kept") }
            self.cache = try Cache(cache)
        }
    }

    /// Function names are part of socket names, log names and reports.
    package static func isName(_ name: String) -> Bool {
        (1...40).contains(name.utf8.count) && name.first.map { ("a"..."z").contains($0) } == true
            && name.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == "-" }
    }
}

extension FunctionManifest.Scale {
    fileprivate init(_ reader: YAMLReader) throws {
        self.init()
        try reader.allow("min", "max", "concurrency", "idle")
        max = try reader.integer("max", in: 1...256) ?? max
        min = try reader.integer("min", in: 0...256) ?? min
        concurrency = try reader.integer("concurrency", in: 1...256) ?? concurrency
        idle = try reader.duration("idle") ?? idle
        guard min <= max else { throw reader.failure("min", "is \(min), more than 'max' (\(max))") }
    }
}

extension FunctionManifest.Limits {
    fileprivate init(_ reader: YAMLReader) throws {
        self.init()
        try reader.allow("timeout", "idle_timeout", "body", "memory", "max_requests")
        timeout = try reader.positiveDuration("timeout") ?? timeout
        idleTimeout = try reader.positiveDuration("idle_timeout")
        maxRequests = try reader.integer("max_requests", in: 1...1_000_000_000)
        body = try reader.size("body", upTo: FunctionManifest.largestBody) ?? body
        memory = try reader.size("memory", upTo: 1 << 40)
    }
}

extension FunctionManifest.Health {
    fileprivate init(_ reader: YAMLReader) throws {
        self.init()
        try reader.allow("probe", "timeout")
        timeout = try reader.positiveDuration("timeout") ?? timeout
        guard let probe = try reader.mapping("probe") else { return }
        try probe.allow("method", "path", "body", "status")
        let method = try probe.text("method") ?? "GET"
        guard Route("\(method) /") != nil else { throw probe.failure("method", "must be an HTTP method such as GET or POST") }
        guard let path = try probe.text("path") else { throw probe.failure("path", "is missing: write for example 'path: /hello'") }
        guard path.hasPrefix("/"), !path.contains(" ") else { throw probe.failure("path", "must start with '/' and have no spaces") }
        self.probe = Probe(
            method: method, path: path, body: try probe.text("body") ?? "", status: try probe.integer("status", in: 200...599))
    }
}

extension FunctionManifest.Isolation {
    fileprivate init(_ reader: YAMLReader) throws {
        self.init()
        try reader.allow("read", "write", "network")
        read = try Self.paths("read", reader)
        write = try Self.paths("write", reader)
        network = try reader.flag("network") ?? false
    }

    private static func paths(_ key: String, _ reader: YAMLReader) throws -> [String] {
        let paths = try reader.list(key) ?? []
        if let relative = paths.first(where: { !$0.hasPrefix("/") }) {
            throw reader.failure(key, "must be absolute paths (found '\(relative)')")
        }
        return paths
    }
}

extension FunctionManifest.Cache {
    fileprivate init(_ reader: YAMLReader) throws {
        self.init()
        try reader.allow("ttl", "size")
        ttl = try reader.positiveDuration("ttl") ?? ttl
        size = try reader.size("size", upTo: 1 << 40) ?? size
    }
}
