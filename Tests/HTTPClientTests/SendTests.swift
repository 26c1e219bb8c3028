import Foundation
import HTTPClient
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct SendTests {
    private func request(
        _ peer: Peer, method: String = "GET", body: [UInt8]? = nil, timeouts: HTTPClient.Timeouts = HTTPClient.Timeouts()
    ) -> HTTPClient.Request {
        HTTPClient.Request(
            method: method, url: peer.url, unixSocket: peer.socketPath,
            headers: [HTTPClient.Field("Authorization", "Bearer t")], body: body, timeouts: timeouts)
    }

    @Test func whatIsSentAndWhatComesBack() async throws {
        let seen = Mutex("")
        let peer = try Peer { connection in
            let request = connection.readRequest() ?? ""
            seen.withLock { $0 = request }
            connection.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 418 Teapot\r\nX-Kind: a\r\nx-kind: b\r\nContent-Length: 5\r\n\r\nhello")
            connection.waitForClose()
        }
        defer { peer.stop() }
        let response = try await HTTPClient.send(request(peer, method: "PUT", body: Array("body".utf8)))
        #expect(response.status == 418)
        #expect(!response.isSuccess)
        #expect(response.headers["X-KIND"] == "a")
        #expect(try await response.body.collect(upTo: 5) == Array("hello".utf8))
        let text = seen.withLock { $0 }
        #expect(text.hasPrefix("PUT /v1/models?a=b HTTP/1.1\r\n"))
        #expect(text.contains("\r\nAuthorization: Bearer t\r\n"))
        #expect(text.contains("\r\nHost: model\r\n"))
        #expect(!text.contains("Expect"))
        #expect(text.hasSuffix("\r\n\r\nbody"))
    }

    @Test(arguments: ["POST", "PUT"]) func anEmptyBodyIsABody(method: String) async throws {
        let seen = Mutex("")
        let peer = try Peer { connection in
            let request = connection.readRequest() ?? ""
            seen.withLock { $0 = request }
            connection.send("HTTP/1.1 204 No Content\r\n\r\n")
        }
        defer { peer.stop() }
        for body in [nil, []] as [[UInt8]?] {
            let response = try await HTTPClient.send(request(peer, method: method, body: body))
            #expect(try await response.body.collect(upTo: 0).isEmpty)
            #expect(seen.withLock { $0 }.contains("\r\nContent-Length: 0\r\n"))
        }
    }

    @Test func aConnectionIsUsedAgain() async throws {
        let peer = try Peer { connection in
            while connection.readRequest() != nil { connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
        }
        defer { peer.stop() }
        for _ in 0..<5 {
            #expect(try await HTTPClient.send(request(peer)).body.collect(upTo: 10) == Array("ok".utf8))
        }
        #expect(peer.connections == 1)
    }

    @Test func piecesArriveAsTheyAreSent() async throws {
        let gate = DispatchSemaphore(value: 0)
        let peer = try Peer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in ["one", "two"] {
                gate.wait()
                connection.send("3\r\n\(piece)\r\n")
            }
            gate.wait()
            connection.send("0\r\n\r\n")
        }
        defer { peer.stop() }
        var pieces: [String] = []
        // The head is there before the first byte of the body, and every piece before the next one is sent.
        let response = try await HTTPClient.send(request(peer))
        gate.signal()
        for try await chunk in response.body {
            pieces.append(String(decoding: chunk, as: UTF8.self))
            gate.signal()
        }
        #expect(pieces == ["one", "two"])
    }

    @Test func aPeerThatIsFasterThanItsReaderIsHeldBack() async throws {
        let total = 64 << 20
        let sent = Atomic(0)
        let peer = try Peer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let piece = String(repeating: "x", count: 1 << 16)
            for _ in 0..<(total >> 16) { sent.add(connection.send(piece), ordering: .relaxed) }
        }
        defer { peer.stop() }
        let response = try await HTTPClient.send(request(peer))
        // Wait until the peer gets no further, then it must be far from done.
        var before = -1
        while case let now = sent.load(ordering: .relaxed), now != before {
            before = now
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(before < total / 8)
        #expect(try await response.body.reduce(0) { $0 + $1.count } == total)
    }

    @Test func cancellingClosesTheConnectionAtOnce() async throws {
        let (asked, closed) = (Signal(), Signal())
        let peer = try Peer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            asked.fire()
            connection.waitForClose()
            closed.fire()
        }
        defer { peer.stop() }
        let reader = Task { [request = request(peer)] in
            for try await _ in try await HTTPClient.send(request).body {}
        }
        await asked.wait()
        reader.cancel()
        await closed.wait()
        await #expect(throws: CancellationError.self) { try await reader.value }
    }

    @Test func cancellingBeforeTheHeadCounts() async throws {
        let (asked, closed) = (Signal(), Signal())
        let peer = try Peer { connection in
            _ = connection.readRequest()
            asked.fire()
            connection.waitForClose()
            closed.fire()
        }
        defer { peer.stop() }
        let caller = Task { [request = request(peer)] in try await HTTPClient.send(request).status }
        await asked.wait()
        caller.cancel()
        await closed.wait()
        await #expect(throws: CancellationError.self) { try await caller.value }
    }

    @Test func lettingGoOfAResponseClosesItsConnection() async throws {
        let closed = Signal()
        let peer = try Peer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            connection.waitForClose()
            closed.fire()
        }
        defer { peer.stop() }
        #expect(try await HTTPClient.send(request(peer)).status == 200)
        await closed.wait()
    }

    @Test func aPeerThatDiesInMidStreamIsAnError() async throws {
        let peer = try Peer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        }
        defer { peer.stop() }
        var text: [UInt8] = []
        let error = await #expect(throws: HTTPError.self) {
            for try await chunk in try await HTTPClient.send(request(peer)).body { text += chunk }
        }
        #expect(error?.code == .closed)
        #expect(text == Array("abc".utf8))
    }

    @Test func silenceAndSlownessHaveLimits() async throws {
        let peer = try Peer { connection in
            _ = connection.readRequest()
            connection.waitForClose()
        }
        defer { peer.stop() }
        for timeouts in [HTTPClient.Timeouts(idle: .milliseconds(50)), HTTPClient.Timeouts(total: .milliseconds(50))] {
            let error = await #expect(throws: HTTPError.self) { try await HTTPClient.send(request(peer, timeouts: timeouts)) }
            #expect(error?.code == .timedOut)
        }
    }

    @Test func nobodyThereIsSaidPlainly() async throws {
        let error = await #expect(throws: HTTPError.self) {
            try await HTTPClient.send(HTTPClient.Request(url: "http://model/", unixSocket: "/nowhere/model.sock"))
        }
        #expect(error?.code == .unreachable)
        #expect(error?.message.hasPrefix("The socket /nowhere/model.sock cannot be reached: ") == true)
    }

    @Test(arguments: ["ftp://x/", "file:///etc/passwd", "not a url", ""]) func otherProtocolsAreRefused(url: String) async {
        await #expect(throws: HTTPError.self) { try await HTTPClient.send(HTTPClient.Request(url: url)) }
    }

    @Test func aHeaderCannotSmuggleALine() async throws {
        let peer = try Peer { _ in }
        defer { peer.stop() }
        var bad = request(peer)
        bad.headers.append(HTTPClient.Field("X-Name", "a\r\nX-Admin: yes"))
        let error = await #expect(throws: HTTPError.self) { try await HTTPClient.send(bad) }
        #expect(error?.code == .invalidRequest)
        #expect(peer.connections == 0)
    }

    @Test func aTooLongBodyIsRefused() async throws {
        let peer = try Peer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsixsix")
        }
        defer { peer.stop() }
        let error = await #expect(throws: HTTPError.self) { try await HTTPClient.send(request(peer)).body.collect(upTo: 5) }
        #expect(error?.code == .badResponse)
    }

    @Test func manyAtOnce() async throws {
        let peer = try Peer { connection in
            while connection.readRequest() != nil { connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
        }
        defer { peer.stop() }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<100 {
                group.addTask { [request = request(peer)] in try await HTTPClient.send(request).body.collect(upTo: 10).count }
            }
            for try await count in group { #expect(count == 2) }
        }
    }
}
