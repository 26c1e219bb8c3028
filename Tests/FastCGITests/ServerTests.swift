import FastCGI
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import ServiceLifecycle
import Synchronization
import Testing

extension FastCGIRequest {
    init(_ method: HTTPRequest.Method, _ path: String, length: Int? = nil) {
        var request = HTTPRequest(method: method, scheme: "http", authority: "test", path: path)
        request.headerFields[.contentLength] = length.map { "\($0)" }
        self.init(request)
    }
}

extension FastCGIResponse {
    func collect() async throws -> ByteBuffer { try await body.collect(upTo: 100_000_000) }
}

/// The server and the client of this package, over a unix socket.
@Suite(.timeLimit(.minutes(2))) struct ServerTests {
    private static func echo() -> Router<ChannelContext> {
        let router = Router(context: ChannelContext.self)
        router.post("echo") { request, _ in Response(status: .ok, body: ResponseBody(asyncSequence: request.body)) }
        return router
    }

    @Test func bodiesOfAnySizeGoBothWaysOnOneConnection() async throws {
        try await withServer(Self.echo()) { path, _ in
            let connection = try await connect(path)
            for count in [0, 1, 65_535, 65_536, 10_000_000] {
                for (statesLength, size) in [(true, 1 << 30), (true, 40_000), (false, 70_000)] {
                    let sent = pattern(count)
                    let request = FastCGIRequest(.post, "/echo", length: statesLength ? count : nil)
                    let received = try await connection.execute(request, body: pieces(sent, of: size)) { response in
                        #expect(response.status == .ok)
                        return try await response.collect()
                    }
                    #expect(received == sent)
                    #expect(connection.isReusable)
                }
            }
        }
    }

    @Test func whatIsWrittenArrivesBeforeTheEnd() async throws {
        let received = (0..<3).map { _ in Signal() }
        let router = Router(context: ChannelContext.self)
        router.get("stream") { _, _ in
            Response(status: .ok, headers: [.contentType: "text/event-stream"], body: ResponseBody { writer in
                for (index, signal) in received.enumerated() {
                    try await writer.write(ByteBuffer(string: "\(index)"))
                    await signal.wait()
                }
                try await writer.finish(nil)
            })
        }
        try await withServer(router) { path, _ in
            let connection = try await connect(path)
            let text = try await connection.execute(FastCGIRequest(.get, "/stream"), body: nothing) { response in
                #expect(response.headers[.contentType] == "text/event-stream")
                var text = ""
                for try await bytes in response.body {
                    text += bytes.text
                    received[text.count - 1].send()
                }
                return text
            }
            #expect(text == "012" && connection.isReusable)
        }
    }

    @Test func theBodyArrivesBeforeItsEnd() async throws {
        try await withServer(Self.echo()) { path, _ in
            let connection = try await connect(path)
            let (body, continuation) = AsyncStream<ByteBuffer>.makeStream()
            continuation.yield(ByteBuffer(string: "0"))
            let text = try await connection.execute(FastCGIRequest(.post, "/echo"), body: body) { response in
                var text = ""
                for try await bytes in response.body {
                    text += bytes.text
                    if text.count < 5 { continuation.yield(ByteBuffer(string: "\(text.count)")) } else { continuation.finish() }
                }
                return text
            }
            #expect(text == "01234")
        }
    }

    enum HangUp: CaseIterable {
        case cancel, close, halfClose, abort
    }

    @Test(arguments: HangUp.allCases, [false, true])
    func aHangUpCancelsTheHandler(how: HangUp, beforeHead: Bool) async throws {
        let cancelled = Signal()
        let router = Router(context: ChannelContext.self)
        @Sendable func waitForever(_ request: Request) async throws {
            defer { cancelled.send() }
            try await request.body.consumeWithCancellationOnInboundClose { _ in try await Task.sleep(for: .seconds(3600)) }
        }
        router.post("hang") { request, _ in
            if beforeHead { try await waitForever(request) }
            return Response(status: .ok, body: ResponseBody { writer in
                try await writer.write(ByteBuffer(string: "on the line"))
                try await waitForever(request)
            })
        }
        try await withServer(router) { path, _ in
            if how == .cancel {
                let connection = try await connect(path)
                let started = Signal()
                await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await connection.execute(FastCGIRequest(.post, "/hang", length: 1), body: pieces(ByteBuffer(string: "x"), of: 1)) {
                            started.send()
                            for try await _ in $0.body {}
                        }
                    }
                    if !beforeHead { await started.wait() }
                    group.cancelAll()
                    await #expect(throws: CancellationError.self) { try await group.waitForAll() }
                }
                #expect(!connection.isReusable)
                if !beforeHead { await cancelled.wait() }
            } else {
                try await withPeer(path) { inbound, outbound, channel in
                    try await outbound.write(ByteBuffer(bytes: begin() + parameters(method: "POST", uri: "/hang") + bytes(5, [1])))
                    if !beforeHead { _ = try await inbound.next() }
                    switch how {
                    case .close: try await channel.close()
                    case .halfClose: try await channel.close(mode: .output)
                    default: try await outbound.write(ByteBuffer(bytes: bytes(2)))
                    }
                    await cancelled.wait()
                    guard how == .abort else { return }
                    let last = try await inbound.records().last
                    #expect(last?.kind == 3)
                    #expect(try await inbound.next() == nil)
                }
            }
        }
    }

    @Test func aTruncatedBodyIsAnErrorAndNotAShortBody() async throws {
        let outcome = Mutex<String?>(nil)
        let done = Signal()
        let router = Router(context: ChannelContext.self)
        router.post("collect") { request, _ in
            defer { done.send() }
            do {
                let body = try await request.body.collect(upTo: 1000)
                outcome.withLock { $0 = body.text }
            } catch {
                outcome.withLock { $0 = "\(type(of: error))" }
            }
            return HTTPResponse.Status.ok
        }
        try await withServer(router) { path, _ in
            try await withPeer(path) { _, outbound, _ in
                let upload = parameters(method: "POST", uri: "/collect", ["CONTENT_LENGTH": "4"])
                try await outbound.write(ByteBuffer(bytes: begin() + upload + bytes(5, [65, 66])))
            }
            await done.wait()
            #expect(outcome.withLock { $0 } == "FastCGIRequestAborted")
        }
    }

    @Test func malformedInputClosesItsConnectionAndTouchesNoOther() async throws {
        let log = LogKeeper()
        try await withServer(Self.echo(), logger: Logger(label: "test", factory: { _ in log })) { path, _ in
            let connection = try await connect(path)
            let (body, continuation) = AsyncStream<ByteBuffer>.makeStream()
            continuation.yield(ByteBuffer(string: "a"))
            let text = try await connection.execute(FastCGIRequest(.post, "/echo"), body: body) { response in
                var iterator = response.body.makeAsyncIterator()
                var text = try await iterator.next()?.text ?? ""
                for input in ResponderStateTests.malformed {
                    try await withPeer(path) { inbound, outbound, _ in
                        try await outbound.write(ByteBuffer(bytes: input.wire))
                        while try await inbound.next() != nil {}
                    }
                }
                continuation.yield(ByteBuffer(string: "b"))
                continuation.finish()
                while let bytes = try await iterator.next() { text += bytes.text }
                return text
            }
            #expect(text == "ab" && connection.isReusable)
        }
        let lines = log.lines.all.withLock { $0 }.filter { $0.hasPrefix("Closing a FastCGI connection") }
        #expect(lines.count == ResponderStateTests.malformed.count)
    }

    @Test func aSlowReaderHoldsBackTheWriter() async throws {
        let written = Counter()
        let router = Router(context: ChannelContext.self)
        router.get("flood") { _, context in
            Response(status: .ok, body: ResponseBody { writer in
                for _ in 0..<1000 {
                    try await writer.write(ByteBuffer(repeating: 1, count: 65_536))
                    written.add(65_536)
                    // A write is on its way to the event loop when it returns; this is when it has got there.
                    try await context.channel.eventLoop.submit {}.get()
                }
                try await writer.finish(nil)
            })
        }
        try await withServer(router) { path, _ in
            let connection = try await connect(path)
            let (received, most) = try await connection.execute(FastCGIRequest(.get, "/flood"), body: nothing) { response in
                var received = 0
                var most = 0
                for try await bytes in response.body {
                    received += bytes.readableBytes
                    // Gives a writer that is not held back the time to run ahead.
                    if received < 10_000_000 { try await Task.sleep(for: .milliseconds(2)) }
                    most = max(most, written.value - received)
                }
                return (received, most)
            }
            #expect(received == 65_536_000)
            // Two sockets' buffers, one writer's and one reader's watermark.
            #expect(most < 3_000_000)
        }
    }

    @Test func aSlowHandlerHoldsBackTheSender() async throws {
        let sent = Counter()
        let most = Counter()
        let router = Router(context: ChannelContext.self)
        router.post("sink") { request, _ in
            var received = 0
            for try await bytes in request.body {
                received += bytes.readableBytes
                if received < 10_000_000 { try await Task.sleep(for: .milliseconds(2)) }
                most.add(max(0, sent.value - received - most.value))
            }
            return "\(received)"
        }
        try await withServer(router) { path, _ in
            let connection = try await connect(path)
            let body = AsyncStream<ByteBuffer> {
                guard sent.value < 65_536_000 else { return nil }
                sent.add(65_536)
                return ByteBuffer(repeating: 1, count: 65_536)
            }
            let text = try await connection.execute(FastCGIRequest(.post, "/sink"), body: body) { try await $0.collect().text }
            #expect(text == "65536000")
            #expect(most.value < 3_000_000)
        }
    }

    @Test func theConnectionIsKeptOrClosedAsTheWebServerAsks() async throws {
        let router = Router(context: ChannelContext.self)
        router.get("path") { request, _ in request.uri.description }
        try await withServer(router) { path, _ in
            try await withPeer(path) { inbound, outbound, _ in
                for id: UInt16 in [1, 1, 700] {
                    try await outbound.write(ByteBuffer(bytes: get("/path?\(id)", id: id)))
                    let records = try await inbound.records()
                    #expect(records.map(\.kind) == [6, 6, 6, 3] && records[1].content == "/path?\(id)" && records[2].content.isEmpty)
                    #expect(records[0].content.hasPrefix("Status: 200 OK\r\n"))
                }
                try await outbound.write(ByteBuffer(bytes: get("/path", keepConnection: false)))
                #expect(try await inbound.records().last?.kind == 3)
                #expect(try await inbound.next() == nil)
            }
        }
    }

    /// The rest of a body that nobody wants neither holds up the response nor ends the connection.
    @Test(arguments: [true, false])
    func aResponseMayComeBeforeTheBodyWasRead(keepConnection: Bool) async throws {
        let router = Router(context: ChannelContext.self)
        router.post("early") { _, _ in "no thanks" }
        try await withServer(router) { path, _ in
            try await withPeer(path) { inbound, outbound, _ in
                for _ in 0..<(keepConnection ? 2 : 1) {
                    try await outbound.write(ByteBuffer(bytes: begin(keepConnection: keepConnection) + parameters(method: "POST", uri: "/early")))
                    let records = try await inbound.records()
                    #expect(records.map(\.content).contains("no thanks") && records.last?.kind == 3)
                    for _ in 0..<200 { try await outbound.write(ByteBuffer(bytes: bytes(5, [UInt8](repeating: 0, count: 65_535)))) }
                    try await outbound.write(ByteBuffer(bytes: bytes(5)))
                }
                // Closed by the server only after it has taken the body, so that there is no reset.
                if !keepConnection { #expect(try await inbound.next() == nil) }
            }
        }
    }

    @Test func aHandlerThatWatchesForHangUpsResponds() async throws {
        let router = Router(context: ChannelContext.self)
        router.post("watch") { request, _ in
            Response(status: .ok, body: ResponseBody { writer in
                let body = try await request.body.consumeWithCancellationOnInboundClose { try await $0.collect(upTo: 100) }
                try await writer.write(body)
                try await writer.finish(nil)
            })
        }
        try await withServer(router) { path, _ in
            for _ in 0..<50 {
                let connection = try await connect(path)
                let text = try await connection.execute(FastCGIRequest(.post, "/watch", length: 3), body: pieces(ByteBuffer(string: "abc"), of: 1)) {
                    try await $0.collect().text
                }
                #expect(text == "abc")
            }
        }
    }

    @Test func aServerThatShutsDownFinishesWhatItHas() async throws {
        let (started, finish) = (Signal(), Signal())
        let router = Router(context: ChannelContext.self)
        router.get("slow") { _, _ in
            started.send()
            await finish.wait()
            return "done"
        }
        try await withServer(router) { path, services in
            let busy = try await connect(path)
            try await withPeer(path) { idle, outbound, _ in
                // An answer shows that the connection was accepted.
                try await outbound.write(ByteBuffer(bytes: bytes(200, id: 0)))
                #expect(try await idle.next() != nil)
                async let text = busy.execute(FastCGIRequest(.get, "/slow"), body: nothing) { try await $0.collect().text }
                await started.wait()
                await services.triggerGracefulShutdown()
                #expect(try await idle.next() == nil)
                finish.send()
                #expect(try await text == "done")
            }
        }
    }

    /// As a server does that is cancelled between accepting a connection and handling it.
    @Test func aConnectionThatIsDroppedIsClosed() async throws {
        let channel = NIOAsyncTestingChannel()
        let server = FastCGIChannel { _, _, _ in }
        _ = try await channel.eventLoop.flatSubmit { server.setup(channel: channel, logger: silent) }.get()
        try await channel.closeFuture.get()
    }

    @Test func theSocketTakesThePermissionsItIsGiven() async throws {
        try await withSocketPath { path in
            let running = Signal()
            let application = Application(
                router: Self.echo(), server: .fastCGI(), configuration: .init(address: .unixDomainSocket(path: path)),
                onServerRunning: { _ in
                    try? FileManager.default.setAttributes([.posixPermissions: 0o660], ofItemAtPath: path)
                    running.send()
                })
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await application.run() }
                await running.wait()
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(mode == 0o660)
                group.cancelAll()
            }
        }
    }
}
