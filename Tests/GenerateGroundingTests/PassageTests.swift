import FunctionKit
import GenerateGrounding
import Testing

@Suite struct PassageTests {
    private func passage(_ text: String) -> Passage { Passage(document: "d", chunk: 0, text: text, score: 1) }

    /// The form that the demo model was trained on.
    @Test func theContextStandsBeforeTheLastQuestion() {
        let messages: [JSON] = [
            ["role": "user", "content": "Hello"], ["role": "assistant", "content": "Hi"],
            ["role": "user", "content": [["type": "text", "text": "How long does shipping take?"]]],
        ]
        let grounded = Passage.grounded(messages, in: [passage("Refunds are accepted\nwithin 30 days."), passage(" Shipping takes 3 days. ")])
        #expect(grounded[..<2] == messages[..<2])
        #expect(
            grounded[2]["content"]
                == "Context:\n[1] Refunds are accepted within 30 days.\n[2] Shipping takes 3 days.\n\nQuestion: How long does shipping take?")
        #expect(Passage.grounded(messages, in: []) == messages)
    }

    @Test func passagesAreTakenAsLongAsTheyFit() {
        let all = ["a", "b", "c"].map { passage($0) }
        #expect(Passage.select(all, lengths: [10, 10, 10], room: 48) == all)
        #expect(Passage.select(all, lengths: [10, 10, 10], room: 47) == Array(all[..<2]))
        #expect(Passage.select(all, lengths: [10, 100, 10], room: 40) == [all[0], all[2]], "a shorter one may still fit")
    }

    @Test func theBestIsCutWhereNoneFits() {
        let words = Array(repeating: "word", count: 100).joined(separator: " ")
        let cut = Passage.select([passage(words)], lengths: [100], room: 56)
        #expect(cut.count == 1)
        #expect(cut[0].text.split(separator: " ").count == 45 - 1)
        #expect(cut[0].text.hasSuffix("word"))
        #expect(Passage.select([passage(words)], lengths: [100], room: -5).isEmpty)
        #expect(Passage.select([], lengths: [], room: 100).isEmpty)
    }

    @Test func citationsAreWhatTheTextCites() {
        #expect(citations(in: "Three days [2]. Thirty [1], and [2] again.", count: 2) == [2, 1])
        #expect(citations(in: "Both [1, 3] and [2,9].", count: 3) == [1, 3, 2])
        #expect(citations(in: "[0] [4] [x] [] [1 [ 2] [12345678901234567890]", count: 3) == [2])
        #expect(citations(in: "[1]", count: 0).isEmpty)
        #expect(citations(in: "an open [1", count: 1).isEmpty)
    }
}

@Suite struct GenerateRequestTests {
    @Test func whatIsNotOursGoesToTheModel() throws {
        let request = try GenerateRequest(["prompt": "Hi", "temperature": 0.5, "stream": true, "model": "big", "max_tokens": 9])
        #expect(request.body == ["messages": [["role": "user", "content": "Hi"]], "temperature": 0.5, "max_tokens": 9])
        #expect(request.stream && request.model == "big" && request.maxTokens == 9 && request.retrieval == nil)
        #expect(request.question == "Hi")
    }

    @Test func theQuestionIsTheUsersLastText() throws {
        let request = try GenerateRequest([
            "messages": [["role": "user", "content": "One?"], ["role": "assistant", "content": "Two."]], "retrieve": ["collection": "c", "top_k": 2],
        ])
        #expect(request.question == "One?")
        #expect(request.model == "chat")
        #expect(request.retrieval?.topK == 2)
    }

    @Test(arguments: [
        ([:], "prompt"), (["prompt": "a", "messages": []], "prompt"), (["prompt": 1], "prompt"), (["messages": "a"], "messages"), (["messages": []], "messages"),
        (["prompt": "a", "stream": 1], "stream"), (["prompt": "a", "model": 1], "model"), (["prompt": "a", "retrieve": "c"], "retrieve.collection"),
        (["prompt": "a", "retrieve": ["collection": "c", "top_k": "2"]], "top_k"), (["prompt": "", "retrieve": ["collection": "c"]], "messages"),
    ] as [(JSON, String)]) func whatIsWrongIsNamed(body: JSON, parameter: String) {
        #expect { try GenerateRequest(body) } throws: { ($0 as? APIError)?.parameter == parameter && ($0 as? APIError)?.status == 400 }
    }
}
