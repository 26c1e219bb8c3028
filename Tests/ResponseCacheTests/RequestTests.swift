import Foundation
import ResponseCache
import Testing
import Wire

@Suite struct RequestDigestTests {
    private func digest(_ body: String, _ parts: String...) -> [UInt8]? { RequestDigest(body: body.utf8, parts)?.bytes }

    @Test(arguments: [
        (#"{"a":1,"b":"x"}"#, #" { "b" : "x", "a": 1.0 }"#),
        (#"{"text":"ö","temperature":0}"#, #"{"temperature":0.0,"text":"\u00f6"}"#),
        (#"{"a":[1,-2,0.5,100,1e-7]}"#, #"{"a":[1e0,-2.0,5E-1,1.0e2,0.0000001]}"#),
        (#"{"m":[{"role":"user","content":{"x":1,"y":{"p":2,"q":3}}}]}"#, #"{"m":[{"content":{"y":{"q":3,"p":2},"x":1},"role":"user"}]}"#),
        (#"{"a/b":"\ud83d\ude00\/\t"}"#, #"{"a\/b":"😀/\u0009"}"#),
    ])
    func `Requests that say the same are the same`(one: String, other: String) throws {
        #expect(try #require(digest(one)) == #require(digest(other)))
    }

    @Test(arguments: [
        (#"{"a":1}"#, #"{"a":2}"#), (#"{"a":1}"#, #"{"a":"1"}"#), (#"{"a":1}"#, #"{"a":1.5}"#), (#"{"a":null}"#, #"{}"#),
        (#"{"a":"bc"}"#, #"{"ab":"c"}"#), (#"{"a":["b","c"]}"#, #"{"a":["b,c"]}"#), (#"{"a":[[1],2]}"#, #"{"a":[1,[2]]}"#),
        (#"{"a":[1,2]}"#, #"{"a":[2,1]}"#), (#"{"a":"1.0"}"#, #"{"a":"1"}"#), (#"{"a":true}"#, #"{"a":"true"}"#), (#"{"a":{}}"#, #"{"a":[]}"#),
        (#"{"a":9007199254740993}"#, #"{"a":9007199254740992}"#), (#"{"stream":false}"#, #"{}"#), (#"{"n":1}"#, #"{}"#),
        // The order of a schema's members is that of the answer.
        (#"{"response_format":{"json_schema":{"x":1,"y":2}}}"#, #"{"response_format":{"json_schema":{"y":2,"x":1}}}"#),
        (#"{"chat_template_kwargs":{"a":[{"x":1,"y":2}]}}"#, #"{"chat_template_kwargs":{"a":[{"y":2,"x":1}]}}"#),
    ])
    func `Requests that say something else are others`(one: String, other: String) throws {
        #expect(try #require(digest(one)) != #require(digest(other)))
    }

    @Test func `Whoever asks and what answers counts, too`() throws {
        let body = #"{"a":1}"#
        #expect(digest(body, "x") != digest(body, "y"))
        #expect(digest(body, "x", "y") != digest(body, "xy"))
        #expect(digest(body, "x", "") != digest(body, "x"))
    }

    @Test(arguments: [
        "", "[1]", "{", #"{"temperature":0.7}"#, #"{"temperature":0,"tools":[{"type":"function"}]}"#, #"{"seed":"7","temperature":1}"#,
        #"{"functions":[{"name":"f"}]}"#, #"{"a":1,"a":2}"#, #"{"a":[{"b":1,"b":1}]}"#, #"{"a":1,"\u0061":1}"#,
        #"{"a":9007199254740993.0}"#, #"{"a":92233720368547758080}"#,
    ])
    func `What may be answered differently, or has effects, is not looked up`(body: String) {
        #expect(digest(body) == nil)
    }

    @Test func `Temperature 0 or a seed asks for the one answer`() throws {
        for (body, asks) in [
            (#"{"temperature":0}"#, true), (#"{"temperature":0.9,"seed":7}"#, true), (#"{"seed":0}"#, true), (#"{}"#, false),
            (#"{"seed":null,"tools":[]}"#, false), (#"{"temperature":null}"#, false),
        ] {
            #expect(try #require(RequestDigest(body: body.utf8, [])).asksForOneAnswer == asks, "\(body)")
        }
    }
}

@Suite struct UsageRewriterTests {
    private let call = TokenUsage(promptTokens: 10, cachedTokens: 10, completionTokens: 4, cost: NanoUSD(1_230))

    private func rewritten(_ text: String, _ calls: [TokenUsage]? = nil, isEventStream: Bool = false) -> String {
        String(decoding: UsageRewriter(calls: calls ?? [call]).rewrite(Array(text.utf8), isEventStream: isEventStream), as: UTF8.self)
    }

    private func usage(_ text: String) throws -> JSON { try #require(JSON(parsing: text.utf8)["usage"]) }

    @Test func `Usage says what the cached answer costs, and the rest stays`() throws {
        let before = #"{"a": [1.50, "\"usage\": {}", {"usage": {"prompt_tokens":10,"completion_tokens":4}}], "b":"usage", "usage" : "#
        let text = rewritten(before + #"{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"cost":0.5}, "z": "ö"}"#)
        #expect(text.hasPrefix(before) && text.hasSuffix(#", "z": "ö"}"#))
        let usage = try usage(text)
        #expect(usage["cost"]?.number == 0.00000123 && usage["cache"] == "hit" && usage["total_tokens"] == 14)
        #expect(usage["prompt_tokens_details"]?["cached_tokens"] == 10)
    }

    @Test(arguments: [
        "", "no JSON", "{", #"{"usage":"#, #"{"usage":{"prompt_tokens":10"#, #"{"usage":null}"#, #"{"usage":"x"}"#, #"{"x":"\"}"#, #"{"usage":{}}"#,
        #"{"usage":{"prompt_tokens":11,"completion_tokens":4}}"#, #"{"prompt_tokens":10,"completion_tokens":4}"#,
        #"["usage",{"prompt_tokens":10,"completion_tokens":4}]"#, #"{"a":"usage","b":{"prompt_tokens":10,"completion_tokens":4}}"#,
    ])
    func `What is no usage of ours stays as it is`(text: String) {
        #expect(rewritten(text) == text)
        #expect(rewritten("data: \(text)\n\n", isEventStream: true) == "data: \(text)\n\n")
    }

    @Test func `In a stream the event that has usage is changed`() throws {
        let events = [#"{"choices":[{"text":"usage"}],"usage":null}"#, #"{"usage":{"prompt_tokens":10,"completion_tokens":4}}"#, "[DONE]"]
        let lines = rewritten(events.map { "data: \($0)\n\n" }.joined(), isEventStream: true).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 7 && lines[0] == "data: \(events[0])" && lines[4] == "data: [DONE]")
        #expect(try usage(String(lines[2].dropFirst(6)))["cache"] == "hit")
    }

    @Test func `Of several calls the one that is meant, or their sum`() throws {
        let other = TokenUsage(promptTokens: 3, cachedTokens: 3, completionTokens: 0, cost: NanoUSD(70))
        #expect(try usage(rewritten(#"{"usage":{"prompt_tokens":3}}"#, [call, other]))["cost"]?.number == 0.00000007)
        #expect(try usage(rewritten(#"{"usage":{"prompt_tokens":13,"completion_tokens":4}}"#, [call, other]))["cost"]?.number == 0.0000013)
    }
}
