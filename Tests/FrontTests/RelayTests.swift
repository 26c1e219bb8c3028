import Front
import HTTPTypes
import NIOCore
import NIOPosix
import Synchronization
import Testing
import Wire

@Suite(.timeLimit(.minutes(1))) struct RelayTests {
    @Test func partsArriveInOrderAndTheEndEndsIt() async throws {
        let relay = Relay { parts in
            await parts.send(.head(HTTPResponse(status: .created)))
            for text in ["a", "b", "c"] { await parts.send(.body(ByteBuffer(string: text))) }
            parts.finish()
        }
        #expect(try await relay.head().status == .created)
        var body = ""
        try await relay.body { body += String(buffer: $0) }
        #expect(body == "abc")
    }

    @Test func aFailureBeforeTheHeadIsThrownByHead() async {
        let relay = Relay { $0.fail(APIError.internalError) }
        await #expect(throws: APIError.internalError) { try await relay.head() }
    }

    @Test func aFailureInMidResponseIsThrownByBodyAfterWhatCameBefore() async throws {
        let relay = Relay { parts in
            await parts.send(.head(HTTPResponse(status: .ok)))
            await parts.send(.body(ByteBuffer(string: "part")))
            parts.fail(APIError.internalError)
        }
        _ = try await relay.head()
        var body = ""
        await #expect(throws: APIError.internalError) { try await relay.body { body += String(buffer: $0) } }
        #expect(body == "part")
    }

    @Test func theProducerIsHeldBackUntilTheConsumerTakes() async throws {
        let sent = Mutex(0)
        let relay = Relay { parts in
            await parts.send(.head(HTTPResponse(status: .ok)))
            for _ in 0..<100 {
                await parts.send(.body(ByteBuffer(string: "x")))
                sent.withLock { $0 += 1 }
            }
            parts.finish()
        }
        _ = try await relay.head()
        var taken = 0
        try await relay.body { _ in
            taken += 1
            #expect(sent.withLock { $0 } <= taken + Relay.Parts.capacity + 1)
        }
        #expect(taken == 100)
    }

    @Test func droppingTheResponseCancelsTheInvocation() async throws {
        let (cancelled, signal) = AsyncStream.makeStream(of: Bool.self)
        var relay: Relay? = Relay { parts in
            await parts.send(.head(HTTPResponse(status: .ok)))
            while !Task.isCancelled { await parts.send(.body(ByteBuffer(string: "nobody reads this"))) }
            signal.yield(Task.isCancelled)
            signal.finish()
        }
        _ = try await relay?.head()
        relay = nil
        #expect(await cancelled.first { _ in true } == true)
    }
}

@Suite(.timeLimit(.minutes(1))) struct LimitTests {
    private func body(_ pieces: [Int]) -> AsyncStream<ByteBuffer> {
        AsyncStream { stream in
            for count in pieces { stream.yield(ByteBuffer(repeating: 0, count: count)) }
            stream.finish()
        }
    }

    @Test func aBodyWithinTheLimitPasses() async throws {
        var count = 0
        for try await piece in LimitedBody(base: body([10, 20, 70]), limit: 100) { count += piece.readableBytes }
        #expect(count == 100)
    }

    @Test func aBodyBeyondTheLimitFails() async {
        await #expect(throws: APIError.tooLarge(limit: 100)) {
            for try await _ in LimitedBody(base: body([60, 41]), limit: 100) {}
        }
    }

    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()

    @Test func theDeadlineCancelsWhatRuns() async {
        let limit = TimeLimit(deadline: .now + .milliseconds(10), on: eventLoop)
        await #expect(throws: DeadlinePassed(limit: .total)) { try await limit.run { try await Task.sleep(for: .seconds(3600)) } }
        #expect(limit.hasPassed)
    }

    @Test func aWaitThatIsTooLongIsCutOff() async {
        let limit = TimeLimit(deadline: .now + .seconds(3600), idle: .milliseconds(20), on: eventLoop)
        await #expect(throws: DeadlinePassed(limit: .idle)) {
            try await limit.run {
                limit.beginWait()
                try await Task.sleep(for: .seconds(3600))
            }
        }
    }

    /// Only waits count: work that goes on, or that waits for its client, may take as long as the deadline allows.
    @Test func whatEndsInTimeIsNotDisturbed() async throws {
        let limit = TimeLimit(deadline: .now + .seconds(3600), idle: .milliseconds(20), on: eventLoop)
        try await limit.run {
            for _ in 0..<4 {
                limit.beginWait()
                try await Task.sleep(for: .milliseconds(5))
                limit.endWait()
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(!limit.hasPassed)
    }

    @Test func whoeverCancelsTheCallerCancelsTheWork() async {
        let limit = TimeLimit(deadline: .now + .seconds(3600), on: eventLoop)
        let caller = Task { try await limit.run { try await Task.sleep(for: .seconds(3600)) } }
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        #expect(!limit.hasPassed)
    }
}
