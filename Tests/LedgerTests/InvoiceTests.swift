import Foundation
import Ledger
import Testing
import Wire

@Suite struct InvoiceTests {
    // 2027-01-15T08:00:00Z; the price changes a week later.
    @Test func `Lines add up to the sum of the rows, with every version of a price apart`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let fee = Fee(function: "generate", perInvocation: try UnitPrice(dollars: "0.00001"))
        try await ledger.setPrices([price("chat", "0.00000015", cached: "0.00000005", "0.0000006")], fees: [fee], from: noon)
        try await ledger.setPrices([price("chat", "0.0000000000033", "0.0000006")], fees: [fee], from: noon + 7 * 86_400)
        let reservation = try await ledger.reserved()
        var sum = NanoUSD.zero
        for day in [-1, 0, 1, 8, 9, 40] as [Double] {
            sum += try await ledger.record(
                UsageRow(
                    invocation: reservation.id, model: "chat", kind: .chat, promptTokens: 200, cachedTokens: 33, completionTokens: 50,
                    started: noon + day * 86_400)).cost
        }
        let february = try await ledger.invoice(key: "app", month: noon + 40 * 86_400)
        #expect(february.calls == 1)
        try await ledger.settle(reservation.id, Settlement(status: .succeeded, httpStatus: 200, duration: .seconds(1)))

        let invoice = try await ledger.invoice(key: reservation.key, month: noon)
        #expect(invoice.month == Date(timeIntervalSince1970: 1_798_761_600)..<Date(timeIntervalSince1970: 1_801_440_000))
        #expect(invoice.calls == 5)
        // The fee belongs to when the invocation began.
        #expect(invoice.total + february.total == sum + NanoUSD(10_000))
        #expect(invoice.lines.reduce(.zero) { $0 + $1.amount } == invoice.total)
        let amounts: [Int64] = [
            // Before there was a price, calls are free.
            0, 0, 0,
            // Two calls at 150, 50 and 600 nano-USD.
            2 * 167 * 150, 2 * 33 * 50, 2 * 50 * 600,
            // Two at 0.0033, of 200 tokens in all: each was rounded to 1, and their sum to 1, so that 1 is left.
            1, 0, 60_000, 1,
            10_000,
        ]
        #expect(invoice.lines.map(\.amount.count) == amounts)
        #expect(invoice.lines.last?.description == "Invocations of generate")
        let error = await #expect(throws: LedgerError.self) { try await ledger.invoice(key: "nobody", month: noon) }
        #expect(error?.code == .notFound)
        #expect(try await ledger.invoice(key: "app", month: noon - 86_400 * 60).lines == [])
    }
}
