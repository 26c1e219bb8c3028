import Foundation
import Supervisor
import Testing

@Suite struct FunctionHistoryTests {
    func history(_ count: Int) -> FunctionHistory {
        var history = FunctionHistory()
        for number in 1...count { _ = history.accept(fingerprint: "content \(number)", at: .distantPast) }
        return history
    }

    @Test func aNewVersionHasAllTrafficAndThreeAreKept() {
        var history = history(3)
        #expect(history.versions.map(\.name) == ["v1", "v2", "v3"] && history.traffic == [3: 100])
        let gone = history.accept(fingerprint: "content 4", at: .distantPast)
        #expect(gone.map(\.name) == ["v1"])
        #expect(history.versions.map(\.name) == ["v2", "v3", "v4"] && history.traffic == [4: 100])
    }

    @Test func rollingBackGoesOneFurtherEachTime() throws {
        var history = history(3)
        #expect(try history.rollback().name == "v2")
        #expect(history.traffic == [2: 100])
        #expect(try history.rollback().name == "v1")
        #expect(throws: FunctionHistory.Mistake.self) { try history.rollback() }
        #expect(history.traffic == [1: 100] && history.versions.count == 3)
    }

    @Test func aNewVersionTakesTheTrafficOfAllOthers() throws {
        var history = history(3)
        try history.split([1: 90, 3: 10])
        // The next one takes all traffic, and what is older than three goes.
        #expect(history.accept(fingerprint: "content 4", at: .distantPast).map(\.name) == ["v1"])
    }

    @Test(arguments: [[1: 50, 2: 40], [1: 150, 2: -50], [9: 100], [:]])
    func aSplitMustBeWhole(shares: [Int: Int]) {
        var history = history(3)
        #expect(throws: FunctionHistory.Mistake.self) { try history.split(shares) }
        #expect(history.traffic == [3: 100])
    }

    @Test func numbersAreNotUsedTwice() {
        var history = history(3)
        history.removeAll()
        _ = history.accept(fingerprint: "again", at: .distantPast)
        #expect(history.versions.map(\.name) == ["v4"])
    }

    @Test func itIsReadAsItWasWritten() throws {
        var history = history(2)
        history.stamp = "abc"
        try history.split([1: 30, 2: 70])
        #expect(try JSONDecoder().decode(FunctionHistory.self, from: JSONEncoder().encode(history)) == history)
    }
}

@Suite struct TrafficSplitTests {
    let keys = (0..<20_000).map { "key-\($0)" }

    func choices(_ shares: [Int], _ function: String = "hello") -> [Int?] { keys.map { TrafficSplit.choose(shares, for: $0, of: function) } }

    @Test(arguments: [[90, 10], [50, 30, 20], [1, 99]])
    func sharesAreMet(shares: [Int]) {
        let chosen = choices(shares)
        for (index, share) in shares.enumerated() {
            let met = Double(chosen.count { $0 == index }) / Double(keys.count) * 100
            #expect(abs(met - Double(share)) < 1.5)
        }
    }

    @Test func aKeyStaysWithTheNewVersionWhenItsShareGrows() {
        let few = choices([90, 10]), more = choices([50, 50])
        #expect(zip(few, more).allSatisfy { $0 == 0 || $1 == 1 })
        #expect(few == choices([90, 10]))
    }

    @Test func functionsAreSplitIndependently() {
        let both = zip(choices([50, 50]), choices([50, 50], "other")).count { $0 == 1 && $1 == 1 }
        #expect(abs(Double(both) / Double(keys.count) - 0.25) < 0.02)
    }

    @Test func withoutVersionsThereIsNoChoice() {
        #expect(TrafficSplit.choose([], for: "key", of: "hello") == nil)
        #expect(TrafficSplit.choose([100], for: "key", of: "hello") == 0)
    }
}
