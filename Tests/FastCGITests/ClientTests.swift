import FastCGI
import Glibc
import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import Testing

/// A `NIOAsyncChannel` that may be dropped, as a cancelled server does; by itself that ends the process.
private final class Accepted: Sendable {
    let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    init(_ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>) { self.channel = channel }
    deinit { Task { [channel] in try await channel.executeThenClose { _, _ in } } }
}

/// A worker that follows a script on every connection it gets.
private func withScript(
    _ script: @escaping @Sendable (_ inbound: inout PeerInbound, _ outbound: PeerOutbound) async throws -> Void,
    _ body: (_ path: String) async throws -> Void
) async throws {
    try await withSocketPath { path in
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(unixDomainSocketPath: path) { channel in
            channel.eventLoop.makeCompletedFuture { try Accepted(NIOAsyncChannel(wrappingChannelSynchronously: channel)) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await withThrowingDiscardingTaskGroup { connections in
                    try await server.executeThenClose { inbound in
                        for try await connection in inbound {
                            connections.addTask {
                                try? await connection.channel.executeThenClose { inbound, outbound in
                                    var iterator = inbound.makeAsyncIterator()
                                    try await script(&iterator, outbound)
                                }
                            }
                        }
                    }
                }
            }
            try await body(path)
            group.cancelAll()
        }
    }
}

private func collect(_ connection: FastCGIConnection, _ request: FastCGIRequest = FastCGIRequest(.get, "/")) async throws -> String {
    try await connection.execute(request, body: nothing) { try await $0.collect().text }
}

private let head = bytes(6, Array("A: b\n\n".utf8))
private let success = bytes(3, [0, 0, 0, 0, 0, 0, 0, 0])

@Suite(.timeLimit(.minutes(2))) struct ClientTests {
    private static let answers: [(answer: [UInt8], code: FastCGIConnectionError.Code)] = [
        ([], .noResponse),
        (bytes(6, Array("A: b".utf8)), .noResponse),
        (head, .responseCutShort),
        (head + bytes(6, [65]) + bytes(6), .responseCutShort),
        (head + bytes(6, [65, 66, 67]).dropLast(), .responseCutShort),
        (Array("HTTP/1.1 200 OK\r\n".utf8), .malformedResponse),
        (head + Array("HTTP/1.1 200 OK\r\n".utf8), .malformedResponse),
        (bytes(6, Array("HTTP/1.1 200 OK\r\n\r\n".utf8)), .malformedResponse),
        (bytes(3, [0, 0, 0, 0, 2, 0, 0, 0]), .refused),
        (success, .noResponse),
    ]

    @Test(arguments: answers)
    func whatAWorkerDoesIsNamed(answer: [UInt8], code: FastCGIConnectionError.Code) async throws {
        try await withScript { inbound, outbound in
            _ = try await inbound.next()
            if !answer.isEmpty { try await outbound.write(ByteBuffer(bytes: answer)) }
        } _: { path in
            let connection = try await connect(path)
            try await expectError(code) { _ = try await collect(connection) }
        }
    }

    @Test func aConnectionIsReusedUntilTheWorkerClosesIt() async throws {
        try await withScript { inbound, outbound in
            for answer in ["1", "2"] {
                _ = try await inbound.next()
                try await outbound.write(ByteBuffer(bytes: head + bytes(6, Array(answer.utf8)) + success))
            }
        } _: { path in
            let connection = try await connect(path)
            #expect(try await collect(connection) == "1" && connection.isReusable)
            #expect(try await collect(connection) == "2")
            while connection.isReusable { try await Task.sleep(for: .milliseconds(1)) }
            try await expectError(.notUsable) { _ = try await collect(connection) }
        }
    }

    /// A whole body goes out with its request; one that is not as long as was said never does.
    @Test func aWholeBodyIsSentAtOnce() async throws {
        try await withScript { inbound, outbound in
            guard let asked = try await inbound.next() else { return }
            let ending = ByteBuffer(bytes: bytes(5, Array("body".utf8), padding: 4).dropLast(4) + [0, 0, 0, 0] + bytes(5))
            let text = asked.readableBytesView.suffix(ending.readableBytes) == ending.readableBytesView ? "whole" : "cut"
            try await outbound.write(ByteBuffer(bytes: head + bytes(6, Array(text.utf8)) + success))
        } _: { path in
            let request = FastCGIRequest(.post, "/").with(contentLength: 4)
            let connection = try await connect(path)
            try await expectError(.bodyLengthMismatch) {
                try await connection.execute(request, body: ByteBuffer(string: "longer")) { _ in }
            }
            let text = try await connection.execute(request, body: ByteBuffer(string: "body")) { try await $0.collect().text }
            #expect(text == "whole")
        }
    }

    /// The worker that closed before it was asked has not seen the request, so that another may have it.
    @Test func aRequestToAClosedConnectionWasNotSeen() async throws {
        for _ in 0..<100 {
            try await withScript { _, _ in } _: { path in
                let connection = try await connect(path)
                do {
                    _ = try await connection.execute(FastCGIRequest(.get, "/")) { _ in }
                    Issue.record("a closed connection has answered")
                } catch let error as FastCGIConnectionError {
                    // Whichever side was first: either nothing was taken, or the worker left without a word.
                    #expect(error.code == .notUsable || error.code == .noResponse)
                }
            }
        }
    }

    @Test func anUnaskedWordFromTheWorkerEndsTheConnection() async throws {
        try await withScript { inbound, outbound in
            _ = try await inbound.next()
            try await outbound.write(ByteBuffer(bytes: head + success))
            try await outbound.write(ByteBuffer(bytes: head))
            while try await inbound.next() != nil {}
        } _: { path in
            let connection = try await connect(path)
            _ = try? await collect(connection)
            while connection.isReusable { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test(arguments: [[], head, head + bytes(6, [65])])
    func cancellationIsAHangUp(answer: [UInt8]) async throws {
        let (asked, gone) = (Signal(), Signal())
        try await withScript { inbound, outbound in
            defer { gone.send() }
            _ = try await inbound.next()
            if !answer.isEmpty { try await outbound.write(ByteBuffer(bytes: answer)) }
            asked.send()
            while try await inbound.next() != nil {}
        } _: { path in
            let connection = try await connect(path)
            let task = Task { try await collect(connection) }
            await asked.wait()
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            await gone.wait()
            #expect(!connection.isReusable)
        }
    }

    @Test func onlyOneRequestIsOnAConnection() async throws {
        let (asked, answer) = (Signal(), Signal())
        try await withScript { inbound, outbound in
            _ = try await inbound.next()
            asked.send()
            await answer.wait()
            try await outbound.write(ByteBuffer(bytes: head + bytes(6, [65]) + success))
        } _: { path in
            let connection = try await connect(path)
            async let first = collect(connection)
            await asked.wait()
            try await expectError(.notUsable) { _ = try await collect(connection) }
            answer.send()
            #expect(try await first == "A")
        }
    }

    struct Upset: Error {}

    @Test func errorsOfTheCallerComeBackAndEndTheConnection() async throws {
        try await withScript { inbound, outbound in
            _ = try await inbound.next()
            try await outbound.write(ByteBuffer(bytes: head))
            while try await inbound.next() != nil {}
        } _: { path in
            let connections = [try await connect(path), try await connect(path)]
            await #expect(throws: Upset.self) {
                let body = AsyncThrowingStream<ByteBuffer, any Error> { throw Upset() }
                try await connections[0].execute(FastCGIRequest(.post, "/"), body: body) { _ = try await $0.collect() }
            }
            await #expect(throws: Upset.self) {
                try await connections[1].execute(FastCGIRequest(.get, "/"), body: nothing) { _ in throw Upset() }
            }
            #expect(connections.allSatisfy { !$0.isReusable })
        }
    }

    @Test(arguments: [(4, 3), (4, 5), (4, 70_000)])
    func aBodyMustBeAsLongAsItSays(stated: Int, actual: Int) async throws {
        try await withScript { inbound, _ in
            while try await inbound.next() != nil {}
        } _: { path in
            let connection = try await connect(path)
            try await expectError(.bodyLengthMismatch) {
                try await connection.execute(FastCGIRequest(.post, "/", length: stated), body: pieces(pattern(actual), of: 3)) {
                    _ = try await $0.collect()
                }
            }
        }
    }

    /// The worker neither reads the rest nor closes; and the rest may never come.
    @Test(arguments: [true, false])
    func aWorkerMayRespondBeforeTheBodyHasBeenSent(isSending: Bool) async throws {
        try await withScript { inbound, outbound in
            _ = try await inbound.next()
            try await outbound.write(ByteBuffer(bytes: head + bytes(6, [65]) + success))
            try await Task.sleep(for: .seconds(3600))
        } _: { path in
            let connection = try await connect(path)
            let body = isSending ? pieces(pattern(10_000_000), of: 1_000_000) : AsyncStream { _ in }
            let text = try await connection.execute(FastCGIRequest(.post, "/"), body: body) { try await $0.collect().text }
            #expect(text == "A" && !connection.isReusable)
        }
    }

    @Test func connectingHasADeadline() async throws {
        try await expectError(.connectFailed) { _ = try await connect("/nonexistent/socket") }
        try await withSocketPath { path in
            let listener = try listen(path, backlog: 0)
            defer { Glibc.close(listener) }
            // Linux takes one connection more than the backlog and refuses the others with EAGAIN.
            let waiting = try await connect(path)
            try await expectError(.connectFailed) {
                _ = try await FastCGIConnection.connect(
                    unixSocketPath: path, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, timeout: .milliseconds(50),
                    logger: Logger(label: "test"))
            }
            async let next = connect(path)
            let accepted = accept(listener, nil, nil)
            #expect(accepted >= 0)
            #expect(try await next.isReusable)
            Glibc.close(accepted)
            waiting.close()
        }
    }

    @Test func cancellationAtAnyMomentLeavesNothingHanging() async throws {
        try await withScript { inbound, outbound in
            _ = try await inbound.next()
            try await outbound.write(ByteBuffer(bytes: head + bytes(6, [UInt8](repeating: 65, count: 60_000)) + success))
            while try await inbound.next() != nil {}
        } _: { path in
            var generator = SeededGenerator(state: 3)
            for _ in 0..<300 {
                let connection = try await connect(path)
                let task = Task {
                    try await connection.execute(FastCGIRequest(.post, "/"), body: pieces(pattern(100_000), of: 10_000)) {
                        try await $0.collect().readableBytes
                    }
                }
                for _ in 0..<(generator.next() % 200) { await Task.yield() }
                task.cancel()
                if case .success(let count) = await task.result { #expect(count == 60_000) }
            }
        }
    }
}
