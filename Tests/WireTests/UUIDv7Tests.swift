import Foundation
import Testing
import Wire

@Suite struct UUIDv7Tests {
    @Test func `The example of RFC 9562 reads back`() throws {
        // Appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00.
        let id = try #require(UUIDv7("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"))
        #expect(id.milliseconds == 1_645_557_742_000)
        #expect(id.description == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    }

    @Test(arguments: [
        "", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e279b07cc398c4dc0c0c07398f0000", "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-18c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e2-79b0-7cc3-98c4-dc0c0c0739é",
    ])
    func `Anything else is refused`(text: String) {
        #expect(UUIDv7(text) == nil)
    }

    @Test func `Foundation reads what it makes, with version and variant in place`() throws {
        let id = UUIDv7()
        let bytes = try #require(UUID(uuidString: id.description)).uuid
        #expect(bytes.6 >> 4 == 7)
        #expect(bytes.8 >> 6 == 2)
        #expect(abs(Double(id.milliseconds) / 1000 - Date.now.timeIntervalSince1970) < 60)
    }

    @Test func `Ids rise within a millisecond, when the clock goes back, and on when it is far behind`() {
        var generator = UUIDv7.Generator()
        let times: [Int64] = Array(repeating: 1_000_000, count: 10_000) + [999_999, 5, 0, -7, 1_000_000, 2_000_000, 1_500_000]
        let ids = times.map { generator.next(milliseconds: $0) }
        #expect(zip(ids, ids.dropFirst()).allSatisfy(<))
        #expect(zip(ids, ids.dropFirst()).allSatisfy { $0.description < $1.description })
        #expect(ids.last?.milliseconds == 2_000_000)
        // 10,000 ids outgrow the counter of one millisecond and borrow from the next ones, no more than they need.
        #expect(ids[9_999].milliseconds <= 1_000_003)
    }

    @Test func `Many tasks never share an id`() async {
        let ids = await withTaskGroup(of: [UUIDv7].self) { group in
            for _ in 0..<8 { group.addTask { (0..<2_000).map { _ in UUIDv7() } } }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(ids).count == 16_000)
    }
}
