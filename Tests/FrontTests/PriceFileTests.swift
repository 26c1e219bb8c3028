import Foundation
import Front
import Ledger
import Supervisor
import SwiftletSystem
import Testing
import Wire

@Suite struct PriceFileTests {
    private func prices(_ text: String) throws -> PriceFile.Contents {
        let folder = FileManager.default.temporaryDirectory.appending(path: "prices-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let state = StateDirectory(folder.path)
        try text.write(toFile: state.pricesFile, atomically: true, encoding: .utf8)
        return try PriceFile.read(in: state)
    }

    @Test func pricesAreExact() throws {
        let read = try prices(
            """
            chat:
              input_cost_per_token: 0.00000015
              cache_read_input_token_cost: 0.00000005
              output_cost_per_token: 6e-07
            embed:
              input_cost_per_token: 0.00000002
            """).prices
        #expect(read.map(\.model) == ["chat", "embed"])
        // 0.15, 0.05 and 0.60 USD per million tokens.
        #expect(read[0].input.nanoUSDPerMillion == 150_000_000)
        #expect(read[0].cachedInput.nanoUSDPerMillion == 50_000_000)
        #expect(read[0].output.nanoUSDPerMillion == 600_000_000)
        #expect(read[1].cachedInput == read[1].input)
        #expect(read[1].output == .free)
    }

    @Test func pricesToComeAreRead() throws {
        let changes = try prices(
            """
            chat:
              input_cost_per_token: 0.1
              from:
                2027-01-31: {input_cost_per_token: 0.2}
                2027-02-01T08:00:00Z: {input_cost_per_token: 0.3, cache_read_output_token_cost: 0.01}
            """).changes
        #expect(changes.map(\.date.timeIntervalSince1970) == [1_801_353_600, 1_801_468_800])
        let cachedOutput = try UnitPrice(dollars: "0.01")
        #expect(changes.map(\.price.model) == ["chat", "chat"] && changes.last?.price.cachedOutput == cachedOutput)
    }

    @Test(arguments: [
        ("chat:\n  input_cost_per_token: -0.1\n", 2),
        ("chat:\n  input_cost_per_token: cheap\n", 2),
        ("chat:\n  input_cost_per_tokens: 0.1\n", 2),
        ("chat:\n  output_cost_per_token: 0.1\n", 2),
        ("chat: 0.1\n", 1),
        ("chat:\n  input_cost_per_token: 0.1\n  output_cost_per_token:\n", 3),
        ("chat:\n  input_cost_per_token: 0.0000000000000001\n", 2),
        ("chat:\n  input_cost_per_million_tokens: -0.15\n", 2),
        ("chat:\n  input_cost_per_token: 0.1\n  input_cost_per_million_tokens: 100000\n", 3),
        ("chat:\n  input_cost_per_token: 0.1\nfunctions:\n  f: {cost_per_invocation: -1}\n", 4),
        ("functions:\n  f:\n    cost_per_minute: 1\n", 3),
        ("functions: 1\n", 1),
        ("chat:\n  input_cost_per_token: 0.1\n  from:\n    2027-01-31 or so: {input_cost_per_token: 0.2}\n", 4),
        ("chat:\n  input_cost_per_token: 0.1\n  from:\n    tomorrow: {input_cost_per_token: 0.2}\n", 4),
        ("chat:\n  input_cost_per_token: 0.1\n  from:\n    2027-01-31: {input_cost_per_token: -0.2}\n", 4),
    ])
    func mistakesAreNamedWithTheirLine(text: String, line: Int) {
        let error = #expect(throws: ManifestError.self) { try prices(text) }
        #expect(error?.line == line, "\(error?.description ?? "")")
    }

    @Test func aPriceForAMillionIsTheSamePrice() throws {
        let read = try prices(
            """
            chat: {input_cost_per_million_tokens: 0.15, cache_read_input_cost_per_million_tokens: 0.05, output_cost_per_million_tokens: 0.6}
            same: {input_cost_per_token: 0.00000015, cache_read_input_token_cost: 0.00000005, output_cost_per_token: 0.0000006}
            embed: {embedding_cost_per_million_tokens: 0.02}
            """).prices
        #expect(read[0].input == read[1].input && read[0].cachedInput == read[1].cachedInput && read[0].output == read[1].output)
        #expect(read[2].embedding.nanoUSDPerMillion == 20_000_000)
    }

    @Test func functionsHaveFees() throws {
        let read = try prices("functions:\n  \"*\": {cost_per_invocation: 0.0000002}\n  slow: {cost_per_second: 0.00001}\n").fees
        #expect(read.map(\.function) == ["*", "slow"])
        #expect(try read[0].cost(milliseconds: 5000).count == 200)
        #expect(try read[1].cost(milliseconds: 1500).count == 15_000)
    }
}
