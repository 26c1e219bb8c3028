import Foundation
import Front
import Identity
import Ledger
import Supervisor
import SwiftletSystem
import Testing

@Suite struct SettingsTests {
    private func settings(_ text: String?) throws -> Settings {
        let folder = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let state = StateDirectory(folder.path)
        try text?.write(toFile: state.settingsFile, atomically: true, encoding: .utf8)
        return try Settings.read(in: state)
    }

    @Test(arguments: [nil, "", "\n", "ledger: {durability: power}"])
    func billsAreDurableToALossOfPowerUnlessToldOtherwise(text: String?) throws {
        let settings = try settings(text)
        #expect(settings.durability == .power && settings.webhook == nil && settings.jwt == nil)
    }

    @Test func everythingIsRead() throws {
        let settings = try settings(
            """
            ledger: {durability: process}
            webhook: {url: "https://example.org/hook", secret: hush}
            jwt: {issuer: i, audience: a, jwks: keys.json}
            """)
        #expect(settings.durability == .process && settings.webhook?.secret == "hush" && settings.jwt?.expectations.tenantClaim == "sub")
    }

    @Test(arguments: [
        ("ledger: {durability: disk}\n", 1), ("ledgers: {}\n", 1), ("webhook:\n  url: ftp://x\n  secret: s\n", 2),
        ("webhook:\n  url: https://x\n", 2), ("jwt:\n  issuer: i\n  audience: a\n", 2), ("- a\n", 1),
    ])
    func mistakesAreNamedWithTheirLine(text: String, line: Int) {
        let error = #expect(throws: ManifestError.self) { try settings(text) }
        #expect(error?.line == line, "\(error?.description ?? "")")
    }
}
