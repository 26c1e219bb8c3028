import Foundation
import FunctionKit
import Testing

@Suite(.timeLimit(.minutes(1))) struct ModelTests {
    private static let usage = #"{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"cost":0.000012,"prompt_tokens_details":{"cached_tokens":3}}"#

    /// What `handler` makes of a host, as a client sees it.
    private func reply(from host: FakeHost, _ handler: @escaping Handler) async throws -> FastCGIClient.Reply {
        var environment = WorkerEnvironment()
        environment.models = ["chat": host.path]
        environment.gateway = host.path
        var reply = FastCGIClient.Reply()
        try await withFunction(environment: environment, handler: handler) { path in
            let client = try FastCGIClient(to: path)
            client.send(["SWIFTLET_INVOCATION_TOKEN": "secret.token"], body: #"{"model":"chat"}"#)
            reply = await client.reply()
        }
        return reply
    }

    @Test func aChatAndItsUsage() async throws {
        let host = try FakeHost { _ in
            FakeHost.json(#"{"choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":\#(ModelTests.usage)}"#)
        }
        defer { host.stop() }
        let reply = try await reply(from: host) { _, response, context in
            let first = try await context.models["chat"].chat(["messages": [["role": "user", "content": "Hello"]], "stream": true])
            _ = try await context.models["chat"].complete(["prompt": "Hello"])
            #expect(first.finishReason == "stop")
            #expect(context.usage == TokenUsage(promptTokens: 10, cachedTokens: 6, completionTokens: 4, cost: NanoUSD(24000)))
            try await response.send(first.completionText ?? "")
        }
        #expect(reply.text == "Hi")
        #expect(host.requests[0].hasPrefix("POST /v1/chat/completions HTTP/1.1\r\n"))
        #expect(host.requests[0].contains("\r\nAuthorization: Bearer secret.token\r\n"))
        #expect(host.requests[0].hasSuffix(#"{"messages":[{"content":"Hello","role":"user"}],"model":"chat"}"#))
        #expect(host.requests[1].hasPrefix("POST /v1/completions HTTP/1.1\r\n"))
    }

    @Test func aStreamInAnyPieces() async throws {
        let host = try FakeHost { _ in
            let text = #"data: {"choices":[{"delta":{"content":"He"}}]}"# + "\r\n\r\n: ping\n\n"
                + #"data: {"choices":[{"delta":{"content":"y 🙂"},"finish_reason":"stop"}]}"# + "\n\n"
                + "data: {\"choices\":[],\"usage\":\(ModelTests.usage)}\n\ndata: [DONE]\n\n"
            return FakeHost.events(text.unicodeScalars.map { String($0) } + [""])
        }
        defer { host.stop() }
        let reply = try await reply(from: host) { _, response, context in
            var text = ""
            for try await chunk in try await context.models["chat"].stream(["messages": []]) { text += chunk.completionText ?? "" }
            #expect(context.usage.promptTokens == 5)
            try await response.send(text)
        }
        #expect(reply.text == "Hey 🙂")
        #expect(host.requests[0].hasSuffix(#""stream":true,"stream_options":{"include_usage":true}}"#))
    }

    @Test func errorsOfTheHostArePassedOn() async throws {
        let error = #"{"error":{"code":"context_length_exceeded","message":"Too long.","param":"messages","type":"invalid_request_error"}}"#
        let host = try FakeHost { _ in FakeHost.json(error, status: "400 Bad Request") }
        defer { host.stop() }
        for handler: Handler in [
            { _, _, context in _ = try await context.models["chat"].chat([:]) },
            { _, _, context in _ = try await context.models["chat"].stream([:]) },
            { _, _, context in _ = try await context.models["chat"].embed(["a"]) },
            { _, _, context in _ = try await context.invoke("GET", "/v1/invocations/1") },
            { request, response, context in try await context.models["chat"].relay("/v1/chat/completions", request.body, to: response) },
        ] {
            let reply = try await reply(from: host, handler)
            #expect(reply.status == 400)
            #expect(reply.text == error)
        }
    }

    @Test func whatIsNoErrorObjectDoesNotLeak() async throws {
        let host = try FakeHost { _ in FakeHost.json("Traceback /srv/secret", status: "500 Oops") }
        defer { host.stop() }
        let reply = try await reply(from: host) { _, _, context in _ = try await context.models["chat"].chat([:]) }
        #expect(reply.status == 502)
        #expect(!reply.text.contains("secret"))
    }

    @Test func anUnknownModelIsNotFound() async throws {
        let host = try FakeHost { _ in [] }
        defer { host.stop() }
        let reply = try await reply(from: host) { _, _, context in _ = try await context.models["gpt"].chat([:]) }
        #expect(reply.status == 404)
        #expect(try JSON(parsing: reply.body)["error"]?["code"] == "model_not_found")
        #expect(host.requests.isEmpty)
    }

    @Test func aHostThatIsNotThereIsABadGateway() async throws {
        let host = try FakeHost { _ in [] }
        host.stop()
        let reply = try await reply(from: host) { _, _, context in _ = try await context.models["chat"].chat([:]) }
        #expect(reply.status == 502)
        #expect(!reply.text.contains(host.path))
    }

    @Test(arguments: ["cut", "clean end", "error"]) func aHostThatDiesInMidStreamIsSeen(how: String) async throws {
        let host = try FakeHost { _ in
            let chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"He\"}}]}\n\n"
            switch how {
            case "cut": return FakeHost.events([chunk])
            case "clean end": return FakeHost.events([chunk, ""])
            default: return FakeHost.events([chunk, "data: {\"error\":{\"message\":\"The model died.\",\"type\":\"server_error\",\"code\":\"bad_gateway\"}}\n\n", ""])
            }
        }
        defer { host.stop() }
        let relayed = try await reply(from: host) { request, response, context in
            try await context.models["chat"].relay("/v1/chat/completions", request.body, to: response)
        }
        #expect(relayed.status == 200)
        #expect(relayed.text.components(separatedBy: "\"code\":\"bad_gateway\"").count == 2)
        let read = try await reply(from: host) { _, response, context in
            for try await _ in try await context.models["chat"].stream([:]) {}
            try await response.send("unreachable")
        }
        #expect(read.text.contains("\"code\":\"bad_gateway\""))
        #expect(!read.text.contains("unreachable"))
    }

    @Test func embeddingsComeInOrder() async throws {
        let host = try FakeHost { _ in
            FakeHost.json(#"{"data":[{"index":1,"embedding":[0.5,-1]},{"index":0,"embedding":[2,3e-2]}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#)
        }
        defer { host.stop() }
        let reply = try await reply(from: host) { _, response, context in
            #expect(try await context.models["chat"].embed(["a", "b"]) == [[2, 0.03], [0.5, -1]])
            #expect(context.usage.promptTokens == 4)
            await #expect(throws: APIError.self, "two vectors for one text") { try await context.models["chat"].embed(["a"]) }
            try await response.send("ok")
        }
        #expect(reply.text == "ok")
    }

    @Test func anotherFunctionIsPartOfTheInvocation() async throws {
        let host = try FakeHost { request in
            request.hasPrefix("POST /retrieve ") ? FakeHost.json(#"{"results":[],"usage":\#(ModelTests.usage)}"#) : FakeHost.json("plain")
        }
        defer { host.stop() }
        let reply = try await reply(from: host) { _, response, context in
            let answer = try await context.invoke("POST", "/retrieve", ["query": "x"])
            #expect(answer["results"] == [])
            #expect(try await context.invoke("GET", "/hello") == "plain")
            try await response.send(json: context.usage)
        }
        #expect(try JSON(parsing: reply.body)["cost"] == .number(0.000012))
        #expect(host.requests[0].contains("\r\nAuthorization: Bearer secret.token\r\n"))
    }

    @Test func theDeadlineHoldsForCallsToo() async throws {
        let listener = try Listener()  // accepts nobody
        defer { close(listener.descriptor) }
        var environment = WorkerEnvironment()
        environment.models = ["chat": listener.path]
        try await withFunction(environment: environment) { _, _, context in
            _ = try await context.models["chat"].chat([:])
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send(["SWIFTLET_DEADLINE": "\(Int(Date.now.timeIntervalSince1970 * 1000) + 100)"])
            #expect(await client.reply().status == 504)
        }
    }
}
