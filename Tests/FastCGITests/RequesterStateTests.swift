import FastCGI
import HTTPTypes
import NIOCore
import Testing

private func responses(_ pieces: [ByteBuffer]) throws -> (actions: [FastCGIRequesterState.Action], state: FastCGIRequesterState) {
    var state = FastCGIRequesterState()
    _ = state.begin(FastCGIRequest(parameters: [("CONTENT_LENGTH", "0")]))
    var found: [FastCGIRequesterState.Action] = []
    try decode(pieces) { found.append(try state.receive($0)) }
    return (found.filter { $0 != .nothing }, state)
}

private let success = bytes(3, [0, 0, 0, 0, 0, 0, 0, 0])

@Suite struct RequesterStateTests {
    @Test func aResponseOfPHPCutAtAnyByte() throws {
        let wire = try fixture("php-response.bin")
        let head = CGIResponseHead(status: .ok, headers: [HTTPField.Name("x-a")!: "b", .contentType: "text/html; charset=UTF-8"])
        let expected: [FastCGIRequesterState.Action] = [
            .standardError(ByteBuffer(string: "to stderr\n")), .head(head, ByteBuffer(string: "hello 5")), .end(nil, message: ""),
        ]
        for pieces in (0...wire.readableBytes).map(wire.split) + [wire.singleBytes] {
            let (found, state) = try responses(pieces)
            #expect(found == expected && state.isReusable)
        }
    }

    @Test func aRequestIsTheseBytes() {
        var state = FastCGIRequesterState()
        let records = state.begin(FastCGIRequest(parameters: [("A", "b"), ("C", "")]))
        #expect(records == [
            FastCGIRecord(.beginRequest, requestID: 1, content: ByteBuffer(bytes: [0, 1, 1, 0, 0, 0, 0, 0])),
            FastCGIRecord(.parameters, requestID: 1, content: ByteBuffer(bytes: [1, 1, 65, 98, 1, 0, 67])),
            FastCGIRecord(.parameters, requestID: 1),
        ])
        let second = state.begin(FastCGIRequest(parameters: []))
        #expect(second == nil)
        // With its body, the request is whole: nothing is sent later, and the connection is in step at the response's end.
        var whole = FastCGIRequesterState()
        let kinds = whole.begin(FastCGIRequest(parameters: []), body: ByteBuffer(string: "x"))?.map(\.kind)
        #expect(kinds == [.beginRequest, .parameters, .standardInput, .standardInput])
        let more = whole.send(ByteBuffer(string: "y"))
        #expect(more == nil)
        let input = ["x", "", "y"].map { state.send(ByteBuffer(string: $0)) }
        #expect(input == [
            FastCGIRecord(.standardInput, requestID: 1, content: ByteBuffer(string: "x")), FastCGIRecord(.standardInput, requestID: 1), nil,
        ])
    }

    @Test(arguments: [
        ("Status: 404 Not Found\r\nContent-Type: a/b\r\n\r\nbody", 404, "Not Found", ["content-type: a/b"], "body"),
        ("Status:500\nX:\t y \n\nbody", 500, "", ["x: y"], "body"),
        ("Content-Type: text/plain\n\n", 200, "OK", ["content-type: text/plain"], ""),
        ("Location: https://example.org/\r\n\r\n", 302, "Found", ["location: https://example.org/"], ""),
        ("Location: /x\r\nstatus: 201 Made\r\n\r\n", 201, "Made", ["location: /x"], ""),
        ("Set-Cookie: 1\r\nSet-Cookie: 2\r\n\r\n\r\n", 200, "OK", ["set-cookie: 1", "set-cookie: 2"], "\r\n"),
        ("Status: 299 \r\n\r\n", 299, "", [], ""),
    ])
    func headsAreReadHoweverTheyCome(text: String, code: Int, reason: String, fields: [String], rest: String) throws {
        for pieces in (0...text.utf8.count).map(ByteBuffer(string: text).split) + [ByteBuffer(string: text).singleBytes] {
            var parser = CGIResponseHeadParser()
            var found: (head: CGIResponseHead, rest: ByteBuffer)?
            var after = ""
            for piece in pieces {
                if found == nil { found = try parser.receive(piece) } else { after += piece.text }
            }
            let (head, first) = try #require(found)
            #expect(head.status.code == code && head.status.reasonPhrase == reason)
            #expect(head.headers.map { "\($0.name.canonicalName): \($0.value)" } == fields)
            #expect(first.text + after == rest)
        }
    }

    private static let garbage = [
        "\n", "\r\n\r\n", "hello\n\n", "HTTP/1.1 200 OK\r\n\r\n", ": x\n\n", "A B: x\n\n", " folded: x\n\n", "Status: 20\n\n", "Status: abc\n\n",
        "Status: +20\n\n", "Status: 100 Continue\n\n", "Status: 600\n\n", "Status: 200\nStatus: 200\n\n", "A: \u{0}\n\n", "A: b\rc\n\n",
        "A: " + String(repeating: "x", count: 65_536) + "\n\n", String(repeating: "x", count: 65_537),
    ]

    @Test func garbageIsNoHead() {
        for text in Self.garbage {
            for pieces in [[ByteBuffer(string: text)], ByteBuffer(string: text).singleBytes] {
                var parser = CGIResponseHeadParser()
                let error = #expect(throws: FastCGIConnectionError.self, "\(text.prefix(20))") {
                    for piece in pieces { _ = try parser.receive(piece) }
                }
                #expect(error?.code == .malformedResponse)
            }
        }
    }

    @Test func aWorkerCanRefuseOrFail() throws {
        let head = bytes(6, Array("A: b\n\n".utf8))
        let table: [([UInt8], FastCGIConnectionError.Code?)] = [
            (bytes(3, [0, 0, 0, 0, 1, 0, 0, 0]), .refused), (bytes(3, [0, 0, 0, 0, 2, 0, 0, 0]), .refused),
            (bytes(3, [0, 0, 0, 0, 3, 0, 0, 0]), .failed), (bytes(3, [0, 0, 0, 0, 99, 0, 0, 0]), .failed), (success, .noResponse),
            (bytes(6) + success, .noResponse), (bytes(6, [65]) + success, .malformedResponse), (head + success, nil),
            (head + bytes(6) + success, nil), (head + bytes(6) + bytes(7) + success, nil), (head + bytes(3, [0, 0, 1, 0, 0, 0, 0, 0]), .failed),
        ]
        for (wire, code) in table {
            let (found, state) = try responses([ByteBuffer(bytes: wire)])
            guard case .end(let foundCode, _) = found.last else { Issue.record("no end for \(wire)"); continue }
            #expect(foundCode == code && state.isReusable, "\(wire)")
        }
    }

    @Test(arguments: [
        bytes(6, id: 2), bytes(6, id: 0), bytes(1, [0, 1, 0, 0, 0, 0, 0, 0]), bytes(5), bytes(99), bytes(3, [0]), bytes(10, id: 0), bytes(11, id: 0),
        bytes(6, Array("A: b\n\n".utf8)) + bytes(6) + bytes(6, [1]), bytes(6, Array("A: b\n\n".utf8)) + success + bytes(7, [1]), success + success,
    ])
    func whatDoesNotBelongIsMalformed(wire: [UInt8]) {
        let error = #expect(throws: FastCGIConnectionError.self) { _ = try responses([ByteBuffer(bytes: wire)]) }
        #expect(error?.code == .malformedResponse)
    }

    @Test func aBodyNotSentToItsEndMakesTheConnectionUseless() throws {
        var state = FastCGIRequesterState()
        _ = state.begin(FastCGIRequest(parameters: []))
        _ = state.send(ByteBuffer(string: "x"))
        _ = try state.receive(FastCGIRecord(.standardOutput, requestID: 1, content: ByteBuffer(string: "A: b\n\n")))
        let end = try state.receive(FastCGIEndRequest().record(requestID: 1))
        #expect(end == .end(nil, message: "") && !state.isReusable)
        let late = state.send(ByteBuffer())
        let next = state.begin(FastCGIRequest(parameters: []))
        #expect(late == nil && next == nil)
    }

    @Test func aLostConnectionSaysHowMuchHadCome() throws {
        #expect(try responses([]).state.closing?.code == .noResponse)
        #expect(try responses([ByteBuffer(bytes: bytes(7, [65]) + bytes(6, Array("A: b".utf8)))]).state.closing?.code == .noResponse)
        #expect(try responses([ByteBuffer(bytes: bytes(6, Array("A: b\n\n".utf8)))]).state.closing?.code == .responseCutShort)
        #expect(try responses([ByteBuffer(bytes: bytes(6, Array("A: b\n\n".utf8)) + bytes(6))]).state.closing?.code == .responseCutShort)
        #expect(try responses([ByteBuffer(bytes: bytes(6, Array("A: b\n\n".utf8)) + success)]).state.closing == nil)
    }

    @Test func anHTTPRequestBecomesParameters() {
        let request = FastCGIRequest(HTTPRequest(
            method: .put, scheme: "https", authority: "[::1]:8080", path: "/a%20b/%zz%C3%A9?q=%20",
            headerFields: [
                .contentType: "a/b", .contentLength: "3", .remoteAddress: "10.0.0.1", .authorization: "Bearer secret", .accept: "x/y",
                .connection: "keep-alive", HTTPField.Name("proxy")!: "http://evil", HTTPField.Name("X_Under")!: "score",
                .cookie: "a=1", HTTPField.Name("X-Two")!: "1", .cookie: "b=2", HTTPField.Name("x-two")!: "2",
            ]))
        #expect(request.parameters.map { "\($0.name)=\($0.value)" } == [
            "GATEWAY_INTERFACE=CGI/1.1", "SERVER_SOFTWARE=swiftlet", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_NAME=[::1]", "SERVER_PORT=8080", "REQUEST_METHOD=PUT",
            "REQUEST_SCHEME=https", "REQUEST_URI=/a%20b/%zz%C3%A9?q=%20", "SCRIPT_NAME=/a b/%zzé", "DOCUMENT_URI=/a b/%zzé", "QUERY_STRING=q=%20",
            "REMOTE_ADDR=10.0.0.1", "CONTENT_TYPE=a/b", "CONTENT_LENGTH=3", "HTTP_HOST=[::1]:8080", "HTTP_ACCEPT=x/y", "HTTP_COOKIE=a=1; b=2",
            "HTTP_X_TWO=1, 2",
        ])
    }
}

extension FastCGIRequesterState {
    /// What `close` would say.
    fileprivate var closing: FastCGIConnectionError? {
        var copy = self
        return copy.close()
    }
}
