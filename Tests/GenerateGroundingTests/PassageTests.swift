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
                == "Context:\nRefunds are accepted within 30 days.\nShipping takes 3 days.\n\nQuestion: How long does shipping take?")
        #expect(Passage.grounded(messages, in: []) == messages)
    }

    @Test func passagesAreTakenAsLongAsTheyFit() {
        let all = ["a", "b", "c"].map { passage($0) }
        #expect(Passage.select(all, lengths: [10, 10, 10], room: 36) == all)
        #expect(Passage.select(all, lengths: [10, 10, 10], room: 35) == Array(all[..<2]))
        #expect(Passage.select(all, lengths: [10, 100, 10], room: 30) == [all[0], all[2]], "a shorter one may still fit")
    }

    @Test func theBestIsCutWhereNoneFits() {
        let words = Array(repeating: "word", count: 100).joined(separator: " ")
        let cut = Passage.select([passage(words)], lengths: [100], room: 52)
        #expect(cut.count == 1)
        #expect(cut[0].text.split(separator: " ").count == 45 - 1)
        #expect(cut[0].text.hasSuffix("word"))
        #expect(Passage.select([passage(words)], lengths: [100], room: -5).isEmpty)
        #expect(Passage.select([], lengths: [], room: 100).isEmpty)
    }
}

@Suite struct AttributionTests {
    private let passages = [
        "Refunds are accepted within 30 days.", "Shipping takes 3.5 days.", "The mayor of Kloondar is Olga Brinto.",
    ].map { Passage(document: "d", chunk: 0, text: $0, score: 1) }

    @Test(arguments: [
        ("Shipping takes 3.5 days.", [1]),
        ("The mayor is Olga Brinto. Refunds are accepted within 30 days!", [2, 0]),
        ("Refunds are accepted. You have 30 days for refunds.", [0]),
        ("I don't know. The context does not say.", []),
        ("Kloondar was founded by a fisherman in 1432.", []),
        ("", []),
    ])
    func theWordsDecide(answer: String, cited: [Int]) {
        #expect(attribution(of: answer, to: passages) == cited)
    }

    @Test func nothingIsCitedWithoutPassages() { #expect(attribution(of: "Shipping takes 3.5 days.", to: []).isEmpty) }
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
