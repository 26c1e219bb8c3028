import FunctionKit
import Testing

@Suite struct ServerSentEventTests {
    private typealias Event = ServerSentEventParser.Event

    private func parse(_ text: String, pieces: Int = .max) -> [Event] {
        var parser = ServerSentEventParser()
        let bytes = Array(text.utf8)
        return stride(from: 0, to: bytes.count, by: min(pieces, bytes.count)).flatMap { start in
            parser.push(Array(bytes[start..<min(bytes.count, start + min(pieces, bytes.count))]))
        }
    }

    /// The examples of the HTML standard, section 9.2.6.
    @Test func theStandardsExamples() {
        #expect(parse("data: YHOO\ndata: +2\ndata: 10\n\n") == [Event(data: "YHOO\n+2\n10")])
        #expect(
            parse(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n")
                == [Event(data: "first event"), Event(data: "second event"), Event(data: " third event")])
        #expect(parse("data\n\ndata\ndata\n\ndata:") == [Event(data: ""), Event(data: "\n")])
        #expect(parse("data:test\n\ndata: test\n\n") == [Event(data: "test"), Event(data: "test")])
    }

    @Test func anyCutAndAnyLineEndIsTheSame() {
        let plain = "\u{FEFF}event: tick\ndata: {\"a\": \"Zoë 🙂\"}\nretry: 5\n: note\n\ndata: a:b\nunknown: x\n\nevent: lost\n\ndata:\u{301}x\n\n"
        let expected = [Event(type: "tick", data: "{\"a\": \"Zoë 🙂\"}"), Event(data: "a:b"), Event(data: "\u{301}x")]
        for lineEnd in ["\n", "\r\n", "\r"] {
            let text = plain.replacing("\n", with: lineEnd)
            for pieces in 1...text.utf8.count { #expect(parse(text, pieces: pieces) == expected) }
        }
    }

    @Test func anEventThatIsCutOffIsNone() {
        #expect(parse("data: half").isEmpty)
        #expect(parse("data: half\n").isEmpty)
    }
}
