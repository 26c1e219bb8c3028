import Foundation
import FunctionKit
import SwiftletSystem
import Testing

private struct Broken: Error {}

@Suite(.timeLimit(.minutes(1))) struct ServerTests {
    @Test func aRequestAndItsResponse() async throws {
        try await withFunction { request, response, context in
            #expect(request.method == "PUT")
            #expect(request.path == "/collections/a%20b/documents")
            #expect(request.route == "PUT /collections/{colName}/documents")
            #expect(request.pathParameters == ["colName": "a b"])
            #expect(request.query == ["name": "Zoë & co", "flag": "", "bad": "%zz%4", "twice": "2", "sum": "1+1=2"])
            #expect(request.headers == ["x-thing": "a=1", "content-type": "application/json"])
            #expect(try request.json([String: Int].self) == ["a": 1])
            #expect(context.invocationID == "0199")
            #expect(context.tenant == "acme")
            #expect(context.remaining > .seconds(50) && context.remaining <= .seconds(60))
            try await response.send("done\n", status: 201, headers: ["X-Kind": "test"])
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send([
                "REQUEST_METHOD": "PUT", "REQUEST_URI": "/collections/a%20b/documents?x", "CONTENT_TYPE": "application/json", "HTTP_X_THING": "a=1",
                "QUERY_STRING": "name=Zo%C3%AB+%26+co&flag&bad=%zz%4&twice=1&twice=2&&sum=1%2B1=2", "SWIFTLET_ROUTE": "PUT /collections/{colName}/documents",
                "SWIFTLET_PATH_COLNAME": "a b", "SWIFTLET_INVOCATION_ID": "0199", "SWIFTLET_TENANT": "acme",
                "SWIFTLET_DEADLINE": "\(Int(Date.now.timeIntervalSince1970 * 1000) + 60000)",
            ], body: #"{"a":1}"#)
            let reply = await client.reply()
            #expect(
                reply.head == [
                    "Status": "201", "Content-Type": "text/plain; charset=utf-8", "Content-Length": "5", "X-Kind": "test",
                    "X-Swiftlet-Keep-Connection": "yes",
                ])
            #expect(reply.text == "done\n")
            #expect(reply.applicationStatus == 0)
        }
    }

    @Test func aKeptConnectionServesAgain() async throws {
        try await withFunction { request, response, _ in
            try await response.send(bytes: request.body.reversed(), contentType: "application/octet-stream")
        } _: { path in
            let client = try FastCGIClient(to: path)
            for text in ["abc", "", String(repeating: "x", count: 300_000)] {
                client.send(body: text)
                let reply = await client.reply()
                #expect(reply.text == String(text.reversed()))
                #expect(reply.applicationStatus == 0)
            }
            client.send(body: "z", keepOpen: false)
            #expect(await client.reply().text == "z")
            #expect(await onThread { client.readRecord() == nil })
        }
    }

    /// A worker's time goes into system calls and into waking other threads, so a request has one read, one write and one thread.
    @Test(.enabled(if: TransferCalls.ofThisThread() != nil)) func aRequestIsReadOnceAndAnsweredOnceByOneThread() async throws {
        try await withFunction(concurrency: 1) { request, response, context in
            let calls = TransferCalls.ofThisThread()
            try await response.send(json: calls, headers: ["X-Query": request.query["a"] ?? "", "X-Id": context.invocationID])
        } _: { path in
            let client = try FastCGIClient(to: path)
            var before: TransferCalls?
            for _ in 0..<5 {
                client.send(["QUERY_STRING": "a=b", "HTTP_ACCEPT": String(repeating: "*/*,", count: 500)], body: "body")
                let now = try JSON.decode(TransferCalls.self, from: await client.reply().body)
                if let before {
                    // One of the two reads is the one that asks for these numbers.
                    #expect(now.reads - before.reads == 2)
                    #expect(now.writes - before.writes == 1)
                }
                before = now
            }
        }
    }

    @Test func whatIsThrownBeforeTheFirstWriteIsTheResponse() async throws {
        try await withFunction { request, response, _ in
            if request.path == "/known" { throw APIError.notFound("No such thing.", parameter: "thing") }
            try response.stream()
            throw Broken()
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send(["REQUEST_URI": "/known"])
            var reply = await client.reply()
            #expect(reply.status == 404)
            #expect(reply.head["Content-Type"] == "application/json")
            #expect(reply.text == #"{"error":{"code":"not_found","message":"No such thing.","param":"thing","type":"invalid_request_error"}}"#)
            client.send(["REQUEST_URI": "/unknown"])
            reply = await client.reply()
            #expect(reply.status == 500)
            #expect(try JSON(parsing: reply.body)["error"]?["type"] == "server_error")
            #expect(!reply.text.contains("Broken"))
        }
    }

    @Test func whatIsThrownInMidStreamBreaksIt() async throws {
        try await withFunction { request, response, _ in
            try response.stream(contentType: request.path == "/events" ? "text/event-stream" : "text/plain")
            try await response.write("data: 1\n\n")
            throw APIError.badGateway("The model died.")
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send(["REQUEST_URI": "/text"])
            let text = await client.reply()
            #expect(text.text == "data: 1\n\n")
            #expect(text.applicationStatus == 1)
            #expect(await onThread { client.readRecord() == nil }, "a broken response ends its connection")
            let second = try FastCGIClient(to: path)
            second.send(["REQUEST_URI": "/events"])
            let events = await second.reply()
            #expect(events.applicationStatus == 1)
            #expect(events.text.hasPrefix("data: 1\n\ndata: {\"error\":{\"code\":\"bad_gateway\",\"message\":\"The model died.\""))
            #expect(events.text.hasSuffix("}}\n\n"))
        }
    }

    @Test func whatIsThrownAfterTheEndIsNotTheClientsConcern() async throws {
        let finished = Signal()
        try await withFunction { _, response, _ in
            try await response.send("all")
            finished.fire()
            await #expect(throws: ResponseError.self) { try await response.write("more") }
            throw Broken()
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send()
            let reply = await client.reply()
            #expect(reply.text == "all")
            #expect(reply.applicationStatus == 0)
            await finished.wait()
        }
    }

    @Test func mistakesOfAHandlerAreInternalErrors() async throws {
        try await withFunction { request, response, _ in
            switch request.path {
            case "/header": try await response.send("x", headers: ["X-A": "1\r\nX-B: 2"])
            case "/status": try await response.send("x", status: 99)
            default: break  // no response at all
            }
        } _: { path in
            let client = try FastCGIClient(to: path)
            for uri in ["/header", "/status", "/nothing"] {
                client.send(["REQUEST_URI": uri])
                let reply = await client.reply()
                #expect(reply.status == 500)
                #expect(reply.head["X-B"] == nil)
            }
        }
    }

    @Test func everyWriteIsOnItsWayAtOnce() async throws {
        let (first, last) = (Signal(), Signal())
        try await withFunction { _, response, _ in
            try response.stream()
            try await response.send(event: ["n": 1])
            await first.wait()
            try await response.send(event: ["n": 2])
            await last.wait()
            try await response.done()
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send()
            var output = await onThread { String(decoding: client.readRecord()?.content ?? [], as: UTF8.self) }
            #expect(output.hasSuffix("\r\n\r\ndata: {\"n\":1}\n\n"))
            first.fire()
            output = await onThread { String(decoding: client.readRecord()?.content ?? [], as: UTF8.self) }
            #expect(output == "data: {\"n\":2}\n\n")
            last.fire()
            output = await onThread { String(decoding: client.readRecord()?.content ?? [], as: UTF8.self) }
            #expect(output == "data: [DONE]\n\n")
        }
    }

    @Test(arguments: ["close", "abort"]) func aClientThatHangsUpCancelsTheHandler(how: String) async throws {
        let (begun, cancelled) = (Signal(), Signal())
        try await withFunction { _, response, _ in
            begun.fire()
            await withTaskCancellationHandler { await cancelled.wait() } onCancel: { cancelled.fire() }
            await #expect(throws: CancellationError.self) { try await response.write("to nobody") }
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send()
            await begun.wait()
            if how == "close" { client.hangUp() } else { client.abort() }
            await cancelled.wait()
        }
    }

    @Test func aClientThatReadsNothingIsNoticedWhenItLeaves() async throws {
        let (begun, ended) = (Signal(), Signal())
        try await withFunction { _, response, _ in
            begun.fire()
            await #expect(throws: CancellationError.self) {
                while true { try await response.write([UInt8](repeating: 120, count: 100_000)) }
            }
            ended.fire()
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send()
            await begun.wait()
            client.hangUp()
            await ended.wait()
        }
    }

    @Test func theDeadlineEndsARequest() async throws {
        try await withFunction { request, response, _ in
            if request.path == "/begun" {
                try response.stream()
                try await response.send(event: 1)
            }
            try await Task.sleep(for: .seconds(3600))
        } _: { path in
            let client = try FastCGIClient(to: path)
            for uri in ["/waiting", "/begun"] {
                client.send(["REQUEST_URI": uri, "SWIFTLET_DEADLINE": "\(Int(Date.now.timeIntervalSince1970 * 1000) + 1000)"])
                let reply = await client.reply()
                #expect(reply.status == (uri == "/begun" ? 200 : 504))
                #expect(reply.applicationStatus == (uri == "/begun" ? 1 : 0))
                #expect(reply.text.contains(#""code":"timeout""#))
            }
        }
    }

    @Test(arguments: ["\(Int64.min)", "\(Int64.max)", "soon", ""]) func aDeadlineThatIsNoTimeIsNoEndlessWait(text: String) async throws {
        try await withFunction { _, response, context in
            try await response.send("\(context.remaining <= .seconds(86400))")
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send(["SWIFTLET_DEADLINE": text])
            #expect(await client.reply().text == "true")
        }
    }

    /// A handler that answers at the very moment of its deadline: whoever is first, the client gets one whole response.
    @Test func theDeadlineAndTheHandlerMayMeet() async throws {
        try await withFunction(concurrency: 8) { request, response, context in
            while context.remaining > .zero { await Task.yield() }
            if request.path == "/throw" { throw APIError.timeout("Mine.") }
            try await response.send("whole")
        } _: { path in
            try await withThrowingTaskGroup { group in
                for client in 0..<8 {
                    group.addTask {
                        let connection = try FastCGIClient(to: path)
                        for _ in 0..<20 {
                            connection.send([
                                "REQUEST_URI": client % 2 == 0 ? "/throw" : "/send",
                                "SWIFTLET_DEADLINE": "\(Int(Date.now.timeIntervalSince1970 * 1000) + 20)",
                            ])
                            let reply = await connection.reply()
                            #expect(reply.applicationStatus == 0)
                            #expect(reply.status == 200 ? reply.text == "whole" : reply.status == 504 && reply.text.hasSuffix("}}"))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func aTaskThatOutlivesItsHandlerCannotWrite() async throws {
        let (returned, refused) = (Signal(), Signal())
        try await withFunction { _, response, _ in
            Task {
                await returned.wait()
                await #expect(throws: (any Error).self) { try await response.write("late") }
                refused.fire()
            }
            try await response.send("ok")
        } _: { path in
            let client = try FastCGIClient(to: path)
            client.send()
            #expect(await client.reply().text == "ok")
            returned.fire()
            await refused.wait()
        }
    }

    @Test func asManyAtOnceAsAreAllowed() async throws {
        let together = Rendezvous(of: 3)
        try await withFunction(concurrency: 3) { _, response, _ in
            await together.meet()
            try await response.send("ok")
        } _: { path in
            let clients = try (0..<3).map { _ in try FastCGIClient(to: path) }
            for client in clients { client.send() }
            for client in clients { #expect(await client.reply().text == "ok") }
        }
    }

    @Test func aBodyThatIsCutOffReachesNoHandler() async throws {
        try await withFunction { request, response, _ in
            #expect(request.path == "/whole")
            try await response.send("ok")
        } _: { path in
            let cut = try FastCGIClient(to: path)
            cut.send(["CONTENT_LENGTH": "10"], body: "short")
            #expect(await cut.reply().applicationStatus == nil)
            let whole = try FastCGIClient(to: path)
            whole.send(["REQUEST_URI": "/whole"], body: "short")
            #expect(await whole.reply().text == "ok")
        }
    }

    @Test func stoppingFinishesWhatRunsAndLeavesTheSocketAlone() async throws {
        let listener = try Listener()
        let acceptor = try #require(Acceptor(descriptor: listener.descriptor))
        let (begun, goOn) = (Signal(), Signal())
        var environment = WorkerEnvironment()
        environment.concurrency = 3
        let server = Server(acceptor: acceptor, environment: environment) { request, response, _ in
            if request.path == "/slow" {
                begun.fire()
                await goOn.wait()
            }
            try await response.send("whole")
        }
        server.start()
        let (idle, busy) = (try FastCGIClient(to: listener.path), try FastCGIClient(to: listener.path))
        idle.send()
        #expect(await idle.reply().text == "whole")
        busy.send(["REQUEST_URI": "/slow"])
        await begun.wait()
        async let stopped: Void = server.stop()
        #expect(await onThread { idle.readRecord() == nil }, "an idle connection is given up")
        goOn.fire()
        let reply = await busy.reply()
        #expect(reply.text == "whole")
        #expect(reply.applicationStatus == 0)
        await stopped
        // Another worker with the same socket takes over.
        let second = Server(acceptor: try #require(Acceptor(descriptor: listener.descriptor)), environment: environment) { _, response, _ in
            try await response.send("second")
        }
        let client = try FastCGIClient(to: listener.path)
        client.send()
        second.start()
        #expect(await client.reply().text == "second")
        await second.stop()
    }

    @Test func onlyAListeningSocketIsOne() {
        #expect(Acceptor(descriptor: -1) == nil)
        var pair: [Int32] = [0, 0]
        #expect(pipe(&pair) == 0)
        #expect(Acceptor(descriptor: pair[0]) == nil)
        pair.forEach { close($0) }
    }
}

/// How often a thread has called `read` and `write`, as the kernel counts it.
private struct TransferCalls: Codable {
    var reads: Int
    var writes: Int

    /// Calls `read` once. `nil` where the kernel does not count.
    static func ofThisThread() -> TransferCalls? {
        let file = open("/proc/thread-self/io", O_RDONLY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 1024)
        let count = read(file, &text, text.count)
        let fields = String(decoding: text.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").map { $0.components(separatedBy: ": ") }
        func field(_ name: String) -> Int? { fields.first { $0[0] == name }.flatMap { Int($0[1]) } }
        guard let reads = field("syscr"), let writes = field("syscw") else { return nil }
        return TransferCalls(reads: reads, writes: writes)
    }
}

/// Lets `count` tasks go on when all have come.
private actor Rendezvous {
    private var missing: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(of count: Int) { missing = count }

    func meet() async {
        missing -= 1
        if missing == 0 {
            for one in waiting { one.resume() }
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }
}
