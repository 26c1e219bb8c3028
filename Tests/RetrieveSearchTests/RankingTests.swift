import FunctionKit
import RetrieveSearch
import Testing

@Suite struct RankingTests {
    /// 1/61 + 1/62, 1/62 + 1/61, 1/63: worked out by hand from the paper's formula.
    @Test func fusionAddsReciprocalRanks() {
        let result = fused([[1, 2, 3], [2, 1]], count: 10)
        #expect(result.map(\.id) == [1, 2, 3])
        #expect(abs(result[0].score - (1.0 / 61 + 1.0 / 62)) < 1e-15)
        #expect(abs(result[2].score - 1.0 / 63) < 1e-15)
        #expect(fused([[7, 8], [8, 9]], count: 1).map(\.id) == [8])
        #expect(fused([[], []], count: 3).isEmpty)
    }

    @Test(arguments: [1, 7, 8, 9, 384]) func theCosineIsTheCosine(dimensions: Int) throws {
        let a = (0..<dimensions).map { Float(($0 * 37 + 12) % 23) - 11 }
        let b = (0..<dimensions).map { Float(($0 * 53 + 5) % 19) - 9 }
        let dot = zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        let norms = [a, b].map { $0.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
        let stored = Vector(b).bytes
        #expect(stored.count == dimensions * 4)
        let cosine = try #require(stored.withUnsafeBytes { Vector(a).cosine(with: $0) })
        #expect(abs(Double(cosine) - dot / (norms[0] * norms[1])) < 1e-5)
    }

    @Test func vectorsOfAnotherLengthHaveNone() {
        let stored = Vector([1, 2, 3]).bytes
        #expect(stored.withUnsafeBytes { Vector([1, 2]).cosine(with: $0) } == nil)
        #expect(Vector([0, 0]).values == [0, 0])
        #expect(Vector([3, 4]).bytes == [0x9a, 0x99, 0x19, 0x3f, 0xcd, 0xcc, 0x4c, 0x3f], "0.6 and 0.8 as IEEE 754, little-endian")
    }

    @Test func nothingInAQueryIsSyntax() {
        #expect(fullTextQuery("a\" OR NEAR(b*) ^c: d-é") == #""a" OR "OR" OR "NEAR" OR "b" OR "c" OR "d" OR "é""#)
        #expect(fullTextQuery("*\"( ") == nil)
    }
}

@Suite struct BodyTests {
    private func error(_ body: String) -> APIError? {
        do {
            _ = try JSON.decode(Documents.self, from: body.utf8)
            return nil
        } catch { return error as? APIError }
    }

    @Test func oneDocumentOrSeveral() throws {
        #expect(try JSON.decode(Documents.self, from: #"{"id":"a","text":"x"}"#.utf8).documents.map(\.id) == ["a"])
        let several = try JSON.decode(Documents.self, from: #"{"documents":[{"id":"a","text":"x","metadata":{"n":1}},{"id":"b","text":"y"}]}"#.utf8)
        #expect(several.documents.map(\.id) == ["a", "b"])
        #expect(several.documents[0].metadata == ["n": 1])
    }

    @Test func whatIsWrongIsNamed() {
        #expect(error(#"{"documents":[]}"#)?.parameter == "documents")
        #expect(error(#"{"documents":[{"id":"a","text":"x"},{"id":"a","text":"y"}]}"#)?.parameter == "documents[1].id")
        #expect(error(#"{"documents":[{"id":"a","text":" \n"}]}"#)?.parameter == "documents[0].text")
        #expect(error(#"{"documents":[{"id":"","text":"x"}]}"#)?.parameter == "documents[0].id")
        #expect(error(#"{"documents":[{"text":"x"}]}"#)?.parameter == "documents[0].id")
        #expect(error("[]")?.status == 400)
    }

    @Test(arguments: ["", "a b", "é", "a/b", String(repeating: "a", count: 65)]) func badNamesAreRefused(name: String) {
        #expect(throws: APIError.self) { try Query.validName(name, "name") }
    }

    @Test func aQueryHasBounds() throws {
        #expect(try JSON.decode(Query.self, from: #"{"collection":"a.B_c-1","query":"x"}"#.utf8).topK == 4)
        for topK in [0, 101, -1] {
            #expect { try JSON.decode(Query.self, from: #"{"collection":"a","query":"x","top_k":\#(topK)}"#.utf8) } throws: { ($0 as? APIError)?.parameter == "top_k" }
        }
        #expect { try JSON.decode(Query.self, from: #"{"collection":"a","query":" "}"#.utf8) } throws: { ($0 as? APIError)?.parameter == "query" }
    }
}
