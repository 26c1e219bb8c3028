import Foundation
import Inference
import Testing

@Suite struct TextAssemblerTests {
    private func run(_ pieces: [[UInt8]], stops: [String] = []) -> (texts: [String], stopped: Bool) {
        var assembler = TextAssembler(stops: stops)
        var texts: [String] = []
        for piece in pieces {
            let (text, stopped) = assembler.append(piece)
            texts.append(text)
            if stopped { return (texts, true) }
        }
        return (texts + [assembler.finish()], false)
    }

    @Test func charactersAreNeverSplit() {
        #expect(run(Array("aé日🦊".utf8).map { [$0] }).texts == ["a", "", "é", "", "", "日", "", "", "", "🦊", ""])
    }

    @Test func bytesThatAreNotTextAreRepaired() {
        #expect(run([[0xff], [0x61], [0xf0, 0x9f], [0x61]]).texts == ["\u{fffd}", "a", "", "\u{fffd}a", ""])
        #expect(run([[0x80], [0xe6, 0x97]]).texts == ["\u{fffd}", "", "\u{fffd}"], "the end of an answer shows what is left")
    }

    @Test func aStopStringEndsTheTextBeforeIt() {
        let run = run(["Hello", " wor", "ld, STOP here"].map { Array($0.utf8) }, stops: ["STOP"])
        #expect(run.texts.joined() == "Hello world, " && run.stopped)
    }

    @Test func aStopStringMayLieAcrossPieces() {
        #expect(run(["a\n", "\nb"].map { Array($0.utf8) }, stops: ["\n\n"]).texts == ["a", ""])
        let bytes = run(Array("one END two".utf8).map { [$0] }, stops: ["END"])
        #expect(bytes.texts.joined() == "one " && bytes.stopped)
    }

    @Test func whatOnlyLooksLikeAStopIsShown() {
        #expect(run(["EN", "D", "IVE"].map { Array($0.utf8) }, stops: ["ENDING"]).texts == ["", "", "ENDIV", "E"])
        #expect(run(["aab", "aac"].map { Array($0.utf8) }, stops: ["aabaad"]).texts == ["", "aabaac", ""])
        #expect(run(["EN"].map { Array($0.utf8) }, stops: ["END"]).texts == ["", "EN"], "the end of an answer shows what is left")
    }

    @Test func theFirstOfSeveralStopsCounts() {
        #expect(run(["x two one"].map { Array($0.utf8) }, stops: ["one", "two", ""]).texts == ["x "])
        #expect(run(["ab", "cd"].map { Array($0.utf8) }, stops: ["bcx", "cd"]).texts == ["a", "b"])
    }

    @Test func aStopStringOfManyBytesPerCharacter() {
        let run = run(Array("ab🦊c".utf8).map { [$0] }, stops: ["🦊"])
        #expect(run.texts.joined() == "ab" && run.stopped)
        #expect(self.run(Array("ab🪁c".utf8).map { [$0] }, stops: ["🦊"]).texts.joined() == "ab🪁c")
    }

    /// Whatever the pieces: the text is the whole text's part before its first stop string.
    @Test func piecesMakeNoDifference() {
        var random = SplitMix64(seed: 11)
        let alphabet: [[UInt8]] = ["a", "b", "é", "🦊"].map { Array($0.utf8) } + [[0xf0], [0x9f, 0xa6]]
        for _ in 0..<500 {
            let whole = (0..<12).flatMap { _ in alphabet[Int(random.next() % 6)] }
            let stops = ["ab", "bba", "éa", "🦊🦊"].filter { _ in random.next() % 2 == 0 }
            var pieces: [[UInt8]] = [[]]
            for byte in whole {
                if random.next() % 2 == 0 { pieces.append([]) }
                pieces[pieces.count - 1].append(byte)
            }
            let text = String(decoding: whole, as: UTF8.self)
            let end = stops.compactMap { text.range(of: $0, options: .literal)?.lowerBound }.min() ?? text.endIndex
            #expect(run(pieces, stops: stops).texts.joined() == String(text[..<end]), "\(pieces) \(stops)")
        }
    }
}
