import Foundation
import Front
import Ledger
import Supervisor
import SwiftletSystem
import Testing

@Suite struct PriceFileTests {
    private func prices(_ text: String) throws -> [Price] {
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
            """)
        #expect(read.map(\.model) == ["chat", "embed"])
        // 0.15, 0.05 and 0.60 USD per million tokens.
        #expect(read[0].input.nanoUSDPerMillionTokens == 150_000_000)
        #expect(read[0].cachedInput.nanoUSDPerMillionTokens == 50_000_000)
        #expect(read[0].output.nanoUSDPerMillionTokens == 600_000_000)
        #expect(read[1].cachedInput == read[1].input)
        #expect(read[1].output == .free)
    }

    @Test(arguments: [
        ("chat:\n  input_cost_per_token: -0.1\n", 2),
        ("chat:\n  input_cost_per_token: cheap\n", 2),
        ("chat:\n  input_cost_per_tokens: 0.1\n", 2),
        ("chat:\n  output_cost_per_token: 0.1\n", 2),
        ("chat: 0.1\n", 1),
    ])
    func mistakesAreNamedWithTheirLine(text: String, line: Int) {
        let error = #expect(throws: ManifestError.self) { try prices(text) }
        #expect(error?.line == line, "\(error?.description ?? "")")
    }
}
