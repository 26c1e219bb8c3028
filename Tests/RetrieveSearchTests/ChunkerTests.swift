import RetrieveSearch
import Testing

@Suite struct ChunkerTests {
    private let small = Chunker(length: 40, overlap: 20)

    @Test func aShortTextIsOneChunk() {
        #expect(Chunker().chunks(of: "  One sentence. And another!\n") == ["One sentence. And another!"])
        #expect(Chunker().chunks(of: " \n ").isEmpty)
        #expect(Chunker().chunks(of: "").isEmpty)
    }

    @Test func chunksAreWholeSentencesThatOverlap() {
        let text = "First one here. Second one here. Third one here. Fourth one here."
        #expect(
            small.chunks(of: text) == [
                "First one here. Second one here.", "Second one here. Third one here.", "Third one here. Fourth one here.",
            ])
    }

    @Test func abbreviationsAndNumbersAreNoEnds() {
        #expect(Chunker(length: 21, overlap: 0).chunks(of: "It costs 3.50 today. Go to a.b for more.") == ["It costs 3.50 today.", "Go to a.b for more."])
    }

    @Test func paragraphsAndOtherScriptsEndSentences() {
        #expect(Chunker(length: 12, overlap: 0).chunks(of: "A heading\n\nIts text") == ["A heading", "Its text"])
        #expect(Chunker(length: 6, overlap: 0).chunks(of: "これは文。次の文。") == ["これは文。", "次の文。"])
    }

    @Test func aLongSentenceIsCutBetweenWords() {
        let words = (0..<100).map { "word\($0)" }
        let chunks = small.chunks(of: words.joined(separator: " "))
        #expect(chunks.allSatisfy { $0.count <= 40 })
        #expect(chunks.flatMap { $0.split(separator: " ") }.allSatisfy { words.contains(String($0)) })
    }

    @Test func aTextWithoutBlanksIsCutAnywhere() {
        #expect(small.chunks(of: String(repeating: "x", count: 100)).map(\.count) == [40, 40, 20])
    }

    /// What must hold for any text: nothing is lost, nothing is too long, every chunk stands in the text, and each goes further than the last.
    @Test func propertiesOfManyTexts() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let alphabet = Array("ab é。.!?  \n")
            let text = (0..<Int.random(in: 0...200, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "a" }
            let chunker = Chunker(length: Int.random(in: 1...60, using: &random), overlap: Int.random(in: 0...70, using: &random))
            // How far the text may be covered: a chunk may stand in it more than once.
            var covered: Set<Int> = [0]
            for chunk in chunker.chunks(of: String(text)).map(Array.init) {
                #expect(chunk.count <= chunker.length)
                #expect(chunk.first?.isWhitespace == false && chunk.last?.isWhitespace == false)
                let starts = text.indices.filter { text[$0...].starts(with: chunk) }
                covered = Set(
                    covered.flatMap { end in
                        starts.filter { $0 + chunk.count > end && ($0 <= end || text[end..<$0].allBlank) }.map { $0 + chunk.count }
                    })
            }
            #expect(covered.contains { text[$0...].allBlank }, "\(String(text).debugDescription) in \(chunker)")
        }
    }
}

extension ArraySlice<Character> {
    fileprivate var allBlank: Bool { !contains { !$0.isWhitespace } }
}
