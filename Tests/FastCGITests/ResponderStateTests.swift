import FastCGI
import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Testing

/// What the state makes of the bytes, without the records that ask for nothing.
func actions(_ pieces: [ByteBuffer], limits: FastCGIResponderState.Limits = .init()) throws -> [FastCGIResponderState.Action] {
    var state = FastCGIResponderState(limits: limits)
    var found: [FastCGIResponderState.Action] = []
    try decode(pieces) { found.append(try state.receive($0)) }
    return found.filter { $0 != .nothing }
}

private func actions(_ wire: [UInt8]...) throws -> [FastCGIResponderState.Action] {
    try actions([ByteBuffer(bytes: wire.joined())])
}

@Suite struct ResponderStateTests {
    /// A body that comes in one record is one action, so every split must give the same.
    @Test func aRequestOfNginxCutAtAnyByte() throws {
        let wire = try fixture("nginx-post.bin")
        let head = HTTPRequest(
            method: .post, scheme: "http", authority: "127.0.0.1", path: "/gener%20ate/x?q=1&r=%20&s",
            headerFields: [
                .contentType: "application/json", .contentLength: "25", .remoteAddress: "127.0.0.1", .accept: "*/*",
                .userAgent: String(repeating: "x", count: 300), .acceptLanguage: "de, en", .cookie: "a=1", .cookie: "b=2",
            ])
        let expected: [FastCGIResponderState.Action] = [.head(head), .body(ByteBuffer(string: #"{"question":"Wie spät?"}"#)), .end]
        for position in 0...wire.readableBytes {
            #expect(try actions(wire.split(at: position)) == expected, "cut at \(position)")
        }
        #expect(try actions(wire.singleBytes) == expected)
    }

    @Test func parametersMayBeSplitWithinAPair() throws {
        let stream = pairs(["REQUEST_METHOD": "GET", "REQUEST_URI": "/a?b", "HTTPS": "on", "HTTP_X_Y": "z"])
        for position in 0...stream.count {
            let records = [stream[..<position], stream[position...]].filter { !$0.isEmpty }.flatMap { bytes(4, Array($0), padding: 3) }
            let found = try actions(begin(), records, bytes(4), bytes(5))
            let head = HTTPRequest(method: .get, scheme: "https", authority: nil, path: "/a?b", headerFields: [HTTPField.Name("x-y")!: "z"])
            #expect(found == [.head(head), .end])
        }
    }

    @Test func parametersOfAllKindsBecomeARequest() throws {
        let request = try HTTPRequest(parameters: [
            ("REQUEST_METHOD", "PUT"), ("REQUEST_URI", "/x"), ("REQUEST_SCHEME", "https"), ("HTTPS", "off"), ("HTTP_HOST", "a.example:8080"),
            ("CONTENT_LENGTH", ""), ("CONTENT_TYPE", ""), ("HTTP_CONTENT_LENGTH", "7"), ("HTTP_CONTENT_TYPE", "a/b"), ("HTTP_EMPTY", ""),
            ("HTTP_CONNECTION", "close"), ("HTTP_TRANSFER_ENCODING", "chunked"), ("HTTP_BAD NAME", "x"), ("HTTP_", "x"), ("HTTP_ü", "x"),
            ("REMOTE_ADDR", "::1"), ("HTTP_X_SWIFTLET_REMOTE_ADDR", "6.6.6.6"), ("HTTP_Authorization", "Bearer k"), ("SCRIPT_NAME", "/y"),
            ("HTTP_TWICE", "1"), ("HTTP_TWICE", "2"), ("HTTP_LINES", "a\r\nb: c"),
        ])
        #expect(request.scheme == "https" && request.authority == "a.example:8080" && request.path == "/x" && request.method == .put)
        let twice = HTTPField.Name("twice")!
        #expect(request.headerFields[values: twice] == ["1", "2"])
        #expect(request.headerFields == [
            .remoteAddress: "::1", .authorization: "Bearer k", twice: "1", twice: "2", HTTPField.Name("lines")!: "a  b: c",
        ])
    }

    @Test func managementRecordsAreAnsweredAtAnyTime() throws {
        let question = bytes(9, id: 0, pairs(["FCGI_MPXS_CONNS": "", "FCGI_MAX_REQS": "", "FCGI_OTHER": "", "FCGI_MAX_CONNS": ""]), padding: 1)
        let answer = FastCGIResponderState.Action.reply(
            FastCGIRecord(
                .getValuesResult, requestID: 0,
                content: ByteBuffer(bytes: pairs(["FCGI_MAX_CONNS": "1024", "FCGI_MAX_REQS": "1024", "FCGI_MPXS_CONNS": "0"]))),
            thenClose: false)
        let unknown = FastCGIResponderState.Action.reply(
            FastCGIRecord(.unknownType, requestID: 0, content: ByteBuffer(bytes: [200, 0, 0, 0, 0, 0, 0, 0])), thenClose: false)
        #expect(try actions(question) == [answer])
        #expect(try actions(bytes(200, id: 0, [1, 2, 3])) == [unknown])
        let found = try actions(question, begin(), question, parameters(), bytes(200, id: 0), bytes(5))
        #expect(found.count == 5 && found[0...1] == [answer, answer] && found[3...4] == [unknown, .end])
    }

    @Test func whatCannotBeServedIsRefused() throws {
        func refusal(_ status: FastCGIEndRequest.Status, id: UInt16, thenClose: Bool) -> FastCGIResponderState.Action {
            .reply(FastCGIEndRequest(status).record(requestID: id), thenClose: thenClose)
        }
        for role: UInt8 in [0, 2, 3, 9] {
            #expect(try actions(begin(role: role), parameters(), bytes(5)) == [refusal(.unknownRole, id: 1, thenClose: false)])
            #expect(try actions(begin(role: role, keepConnection: false)) == [refusal(.unknownRole, id: 1, thenClose: true)])
        }
        // The second request's records are ignored, the first one's are not.
        let found = try actions(begin(), get("/2", id: 2), bytes(2, id: 2), parameters(), bytes(5))
        #expect(found.count == 3 && found[0] == refusal(.cannotMultiplex, id: 2, thenClose: false) && found[2] == .end)
    }

    @Test func anAbortedRequestEndsAndSoDoesATruncatedBody() throws {
        let abort = FastCGIResponderState.Action.abort(FastCGIEndRequest().record(requestID: 7))
        #expect(try actions(begin(id: 7), bytes(2, id: 7)) == [abort])
        #expect(try actions(begin(id: 7), parameters(id: 7), bytes(2, id: 7), bytes(5, id: 7, [1])).last == abort)
        let upload = parameters(id: 7, method: "POST", ["CONTENT_LENGTH": "3"])
        #expect(try actions(begin(id: 7), upload, bytes(5, id: 7, [1, 2]), bytes(5, id: 7)).last == abort)
        #expect(try actions(begin(id: 7), upload, bytes(5, id: 7, [1, 2]), bytes(5, id: 7, [3]), bytes(5, id: 7)).last == .end)
        #expect(try actions(bytes(2, id: 9)).isEmpty)
    }

    @Test(arguments: [true, false])
    func aResponseEndsWithItsRequest(keepConnection: Bool) throws {
        for (rest, endsInput) in [(bytes(5), false), ([], true)] {
            var state = FastCGIResponderState()
            var parts: [FastCGIResponderState.ResponseAction] = [state.respond(.body(ByteBuffer(string: "x")))]
            try decode([ByteBuffer(bytes: begin(keepConnection: keepConnection) + parameters() + rest)]) { _ = try state.receive($0) }
            #expect(state.hasRequest)
            let head = HTTPResponse(status: .notFound, headerFields: [.contentType: "a/b", .connection: "close", .setCookie: "1", .setCookie: "2"])
            for part: HTTPResponsePart in [.head(.init(status: .continue)), .head(head), .body(ByteBuffer()), .end(nil), .end(nil)] {
                parts.append(state.respond(part))
            }
            let text = "Status: 404 Not Found\r\nContent-Type: a/b\r\nSet-Cookie: 1\r\nSet-Cookie: 2\r\n\r\n"
            #expect(parts == [
                .nothing, .nothing, .send(FastCGIRecord(.standardOutput, requestID: 1, content: ByteBuffer(string: text))),
                // An empty record would have ended the stream.
                .nothing,
                .finish(
                    FastCGIRecord(.standardOutput, requestID: 1), FastCGIEndRequest().record(requestID: 1),
                    endsInput: endsInput, thenClose: !keepConnection),
                .nothing,
            ])
            #expect(!state.hasRequest)
            // What is left of the body belongs to no request any more; the next one begins.
            let late = try state.receive(FastCGIRecord(.standardInput, requestID: 1, content: ByteBuffer(string: "late")))
            #expect(late == .nothing)
            try decode([ByteBuffer(bytes: get("/next"))]) { _ = try state.receive($0) }
            #expect(state.hasRequest)
        }
    }

    struct Malformed: CustomTestStringConvertible {
        var testDescription: String
        var wire: [UInt8]

        init(_ description: String, _ wire: [UInt8]) {
            testDescription = description
            self.wire = wire
        }
    }

    static let malformed = [
        Malformed("another version", bytes(1, [0, 1, 1, 0, 0, 0, 0, 0], version: 2)),
        Malformed("HTTP instead", Array("GET / HTTP/1.1\r\n\r\n".utf8)),
        Malformed("FCGI_BEGIN_REQUEST of 7 bytes", bytes(1, [0, 1, 1, 0, 0, 0, 0])),
        Malformed("FCGI_BEGIN_REQUEST without an id", begin(id: 0)),
        Malformed("FCGI_BEGIN_REQUEST twice", begin() + begin()),
        Malformed("FCGI_PARAMS without an id", begin() + bytes(4, id: 0)),
        Malformed("FCGI_PARAMS beyond its end", begin() + bytes(4, [5, 5, 65]) + bytes(4)),
        Malformed("FCGI_PARAMS with lengths of 2³¹", begin() + bytes(4, [255, 255, 255, 255, 255, 255, 255, 255]) + bytes(4)),
        Malformed("FCGI_PARAMS after their end", begin() + parameters() + bytes(4)),
        Malformed("FCGI_PARAMS too many", begin() + (0..<5).flatMap { _ in bytes(4, [UInt8](repeating: 0, count: 65_535)) }),
        Malformed("no method", begin() + bytes(4, pairs(["REQUEST_URI": "/"])) + bytes(4)),
        Malformed("no method but blanks", begin() + parameters(method: "GE T")),
        Malformed("no path", begin() + bytes(4, pairs(["REQUEST_METHOD": "GET"])) + bytes(4)),
        Malformed("no parameters", begin() + bytes(4)),
        Malformed("CONTENT_LENGTH with a sign", begin() + parameters(["CONTENT_LENGTH": "+5"])),
        Malformed("CONTENT_LENGTH beyond all", begin() + parameters(["CONTENT_LENGTH": "99999999999999999999"])),
        Malformed("FCGI_STDIN first", begin() + bytes(5, [1])),
        Malformed("FCGI_STDIN after its end", get("/") + bytes(5, [1])),
        Malformed("FCGI_STDIN beyond CONTENT_LENGTH", begin() + parameters(["CONTENT_LENGTH": "1"]) + bytes(5, [1, 2])),
        Malformed("FCGI_DATA", begin() + parameters() + bytes(8, [1])),
        Malformed("FCGI_STDOUT from the Web server", begin() + bytes(6, [1])),
        Malformed("FCGI_END_REQUEST from the Web server", begin() + bytes(3, [0, 0, 0, 0, 0, 0, 0, 0])),
        Malformed("unknown type in a request", begin() + bytes(99)),
        Malformed("FCGI_GET_VALUES with an id", bytes(9, id: 1)),
        Malformed("FCGI_GET_VALUES beyond its end", bytes(9, id: 0, [9, 0])),
    ]

    @Test(arguments: malformed)
    func malformedInputIsAnError(input: Malformed) {
        let buffer = ByteBuffer(bytes: input.wire)
        #expect(throws: FastCGIProtocolError.self) { try actions([buffer]) }
        #expect(throws: FastCGIProtocolError.self) { try actions(buffer.singleBytes) }
    }
}
