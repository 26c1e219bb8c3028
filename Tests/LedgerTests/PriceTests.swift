import Foundation
import GRDB
import Ledger
import Testing
import Wire

extension Ledger {
    /// The price of `model` that was in force at `date`; `nil` when it had none, and so was free.
    fileprivate func price(of model: String, at date: Date) async throws -> Price? {
        try await DatabaseQueue(path: path).read { db in try Price.inForce(of: model, at: Int64(date.timeIntervalSince1970 * 1000), db) }
    }
}

@Suite struct PriceTests {
    @Test(arguments: [
        ("0.00000015", 150_000_000), ("1.5e-07", 150_000_000), ("15E-8", 150_000_000), ("0", 0), ("0.0", 0), ("0e9", 0),
        ("0.000000000000001", 1), ("0.0000000000000010000", 1), ("1", 1_000_000_000_000_000), ("0.1", 100_000_000_000_000),
        // 2^53 + 1 is the first integer that a Double cannot hold.
        ("9.007199254740993", 9_007_199_254_740_993), ("9223.372036854775807", Int64.max),
    ])
    func `A published price is read exactly`(text: String, expected: Int64) throws {
        #expect(try UnitPrice(dollars: text).nanoUSDPerMillion == expected)
    }

    @Test(arguments: [
        "", "-1", "-0.1", "+1", "1.", ".5", "1e", "e5", "1e1.5", "1,5", "0x10", "1 ", " 1", "NaN", "inf", "0.0000000000000001",
        "9223.372036854775808", "1e30", "1e999999999999999999999", "٣", "1.2.3", "$1",
    ])
    func `Anything else is refused, with a message that says how to write it`(text: String) {
        let error = #expect(throws: LedgerError.self) { try UnitPrice(dollars: text) }
        #expect(error?.code == .invalid)
        #expect(error?.message.contains("0.00000015") == true)
    }

    // Computed with Python's fractions.
    @Test func `Costs are exact and rounded once, half up`() throws {
        let small = try price("chat", "0.00000015", cached: "0.000000075", "0.0000006")
        #expect(try small.cost(promptTokens: 1000, cachedTokens: 300, completionTokens: 77) == NanoUSD(173_700))
        let tiny = try price("chat", "0.000000000000001")
        #expect(try tiny.cost(promptTokens: 500_000, cachedTokens: 0, completionTokens: 0) == NanoUSD(1))
        #expect(try tiny.cost(promptTokens: 499_999, cachedTokens: 0, completionTokens: 0) == NanoUSD(0))
        let huge = try price("chat", "4611.686018427387904", cached: "0", "0.000000000000001")
        #expect(try huge.cost(promptTokens: 3, cachedTokens: 1, completionTokens: 1) == NanoUSD(9_223_372_036_855))
    }

    @Test func `A cost that no integer holds is an error, as are impossible counts`() throws {
        let price = try price("chat", "9000", "9000")
        #expect(throws: LedgerError.self) { try price.cost(promptTokens: .max, cachedTokens: 0, completionTokens: .max) }
        #expect(throws: LedgerError.self) { try price.cost(promptTokens: -1, cachedTokens: 0, completionTokens: 0) }
        #expect(throws: LedgerError.self) { try price.cost(promptTokens: 1, cachedTokens: 2, completionTokens: 0) }
        #expect(throws: LedgerError.self) { try price.cost(promptTokens: 1, cachedTokens: -2, completionTokens: 0) }
    }

    @Test func `A call costs what was in force when it began`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        try await ledger.setPrices([price("chat", "0.000001")], from: noon)
        try await ledger.setPrices([price("chat", "0.000002")], from: noon + 60)
        try await ledger.setPrices([], from: noon + 120)
        #expect(try await ledger.price(of: "chat", at: noon - 1) == nil)
        #expect(try await ledger.price(of: "other", at: noon) == nil)

        let invocation = try await ledger.reserved().id
        for (start, cost) in [(-1.0, 0), (0, 10_000), (59.999, 10_000), (60, 20_000), (119, 20_000), (120, 0)] as [(Double, Int64)] {
            let usage = try await ledger.record(
                UsageRow(invocation: invocation, model: "chat", kind: .chat, promptTokens: 10, started: noon + start))
            #expect(usage.cost == NanoUSD(cost), "\(start) s after noon")
        }
    }

    @Test func `The same price list again makes no new version`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let list = [try price("chat", "0.000001", "0.000002"), try price("embed", "0.0000001")]
        for minute in 0..<3 { try await ledger.setPrices(list, from: noon + Double(60 * minute)) }
        #expect(try scratch.count("prices") == 2)
        #expect(try await ledger.price(of: "chat", at: noon + 600) == list[0])
    }

    @Test func `A clock that is set back changes no price of the past`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        try await ledger.setPrices([price("chat", "0.000001")], from: noon)
        try await ledger.setPrices([price("chat", "0.000002")], from: noon - 3600)
        #expect(try await ledger.price(of: "chat", at: noon - 1) == nil)
        #expect(try await ledger.price(of: "chat", at: noon) == price("chat", "0.000001"))
        #expect(try await ledger.price(of: "chat", at: noon + 1) == price("chat", "0.000002"))
    }

    @Test func `A price that was announced holds from its date, and may be taken back until then`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let (now, soon, later) = (try price("chat", "0.000001"), try price("chat", "0.000002"), try price("chat", "0.000003"))
        let changes = [PriceChange(later, from: noon + 200), PriceChange(soon, from: noon + 100)]
        // The same list again makes no new versions, before and after the dates.
        for seconds in [0.0, 50, 150, 250] { try await ledger.setPrices([now], changes: changes, from: noon + seconds) }
        #expect(try scratch.count("prices") == 3)
        for (seconds, expected) in [(99.0, now), (100, soon), (199, soon), (200, later)] {
            #expect(try await ledger.price(of: "chat", at: noon + seconds) == expected)
        }
        // One that is to come is taken back, and what was in force stays.
        try await ledger.setPrices([now], changes: [PriceChange(soon, from: noon + 1000)], from: noon + 300)
        try await ledger.setPrices([now], from: noon + 400)
        #expect(try await ledger.price(of: "chat", at: noon + 1001) == now)
        #expect(try await ledger.price(of: "chat", at: noon + 250) == later)
        // One that comes after its date holds from now on: what was billed before stays.
        try await ledger.setPrices([now], changes: [PriceChange(later, from: noon + 450)], from: noon + 500)
        #expect(try await ledger.price(of: "chat", at: noon + 499) == now)
        #expect(try await ledger.price(of: "chat", at: noon + 500) == later)
    }

    @Test func `A price that was charged stays, though the clock is set back before its date`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        try await ledger.setPrices([price("chat", "0.000001")], changes: [PriceChange(price("chat", "0.000002"), from: noon + 100)], from: noon - 10)
        let invocation = try await ledger.reserved().id
        _ = try await ledger.record(UsageRow(invocation: invocation, model: "chat", kind: .chat, promptTokens: 10, started: noon + 150))
        try await ledger.setPrices([price("chat", "0.000005")], from: noon)
        #expect(try await ledger.price(of: "chat", at: noon + 100) == price("chat", "0.000002"))
        #expect(try await ledger.verify().faults.isEmpty)
    }

    /// An adapter is first heard of when it is called, perhaps long after the price list was read.
    @Test func `An adapter costs what its model does, from the beginning on, unless it has a price of its own`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let (first, second, own) = (try price("chat", "0.000001"), try price("chat", "0.000002"), try price("chat:legal", "0.00001"))
        try await ledger.setPrices([first, own], from: noon)
        try await ledger.setPrices([second, own], changes: [PriceChange(first, from: noon + 120)], from: noon + 60)
        let invocation = try await ledger.reserved().id
        func cost(_ model: String, after seconds: Double) async throws -> NanoUSD {
            try await ledger.record(UsageRow(invocation: invocation, model: model, kind: .chat, promptTokens: 10, started: noon + seconds)).cost
        }
        for (seconds, expected) in [(30.0, 10_000), (90, 20_000), (150, 10_000)] as [(Double, Int64)] {
            #expect(try await cost("chat:support", after: seconds) == NanoUSD(expected))
            #expect(try await cost("chat:legal", after: seconds) == NanoUSD(100_000))
            #expect(try await cost("other:support", after: seconds) == .zero, "its model is free")
        }
        // A new list changes both; once the adapter has a price in it, the model's is the model's alone.
        try await ledger.setPrices([first, own], from: noon + 200)
        #expect(try await cost("chat:support", after: 250) == NanoUSD(10_000))
        try await ledger.setPrices([second, own, price("chat:support", "0.000005")], from: noon + 300)
        #expect(try await cost("chat:support", after: 350) == NanoUSD(50_000))
        #expect(try await cost("chat", after: 350) == NanoUSD(20_000))
        try await ledger.setPrices([second], from: noon + 400)
        for adapter in ["support", "legal"] { #expect(try await cost("chat:\(adapter)", after: 450) == NanoUSD(20_000)) }
        #expect(try await ledger.verify().faults.isEmpty)
    }

    @Test func `Embeddings may have a price of their own`() throws {
        let embed = Price(
            model: "e", input: try UnitPrice(dollars: "0.000001"), embedding: try UnitPrice(dollarsPerMillion: "0.02"))
        #expect(try embed.cost(of: .embedding, promptTokens: 1000, cachedTokens: 0, completionTokens: 0) == NanoUSD(20_000))
        #expect(try embed.cost(of: .chat, promptTokens: 1000, cachedTokens: 0, completionTokens: 0) == NanoUSD(1_000_000))
    }
}
