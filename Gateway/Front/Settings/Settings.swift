import FoundationEssentials
import Identity
import Ledger
import Supervisor
import SwiftletSystem

/// `swiftlet.yaml`: what holds for the whole system. Everything in it may be left out.
///
/// ```yaml
/// ledger:
///   durability: power                # or process: bills survive every process, and not a loss of power
///   retention_days: 400              # older calls are deleted, their sums stay; default: nothing is deleted
/// webhook:
///   url: https://example.org/hooks   # told when a key passes its soft budget
///   secret: …                        # signs what is sent
/// jwt:
///   issuer: https://login.example.org
///   audience: swiftlet
///   jwks: https://login.example.org/jwks.json   # or a file
///   tenant_claim: org                # default: sub
/// ```
package struct Settings: Hashable, Sendable {
    package var durability = Durability.power
    /// For how long single invocations are kept; `nil` for good.
    package var retentionDays: Int?
    package var webhook: WebhookSettings?
    package var jwt: TokenSettings?

    package init() {}

    /// - Returns: the defaults when there is no such file.
    /// - Throws: ``ManifestError`` with the line of what is wrong.
    package static func read(in state: StateDirectory) throws -> Settings {
        var settings = Settings()
        guard let data = FileManager.default.contents(atPath: state.settingsFile), !data.allSatisfy({ $0 == 10 || $0 == 32 }) else {
            return settings
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ManifestError(file: state.settingsFile, message: "is not UTF-8 text")
        }
        let reader = try YAMLReader(text, file: state.settingsFile)
        try reader.allow("ledger", "webhook", "jwt")
        if let ledger = try reader.mapping("ledger") {
            try ledger.allow("durability", "retention_days")
            settings.retentionDays = try ledger.integer("retention_days", in: 1...36_500)
            if let name = try ledger.text("durability") {
                guard let durability = Durability(rawValue: name) else { throw ledger.failure("durability", "is power or process, not '\(name)'") }
                settings.durability = durability
            }
        }
        settings.webhook = try reader.mapping("webhook").map(WebhookSettings.init)
        settings.jwt = try reader.mapping("jwt").map { try TokenSettings($0, state: state) }
        return settings
    }
}

/// Who is told of alerts.
package struct WebhookSettings: Hashable, Sendable {
    package var url: String
    /// The key of the signature.
    package var secret: String

    init(_ reader: YAMLReader) throws {
        try reader.allow("url", "secret")
        guard let url = try reader.text("url") else { throw reader.failure("url", "is missing") }
        guard url.hasPrefix("https://") || url.hasPrefix("http://") else { throw reader.failure("url", "must begin with https:// or http://") }
        guard let secret = try reader.text("secret") else { throw reader.failure("secret", "is missing: what is sent is signed with it") }
        self.url = url
        self.secret = secret
    }
}

/// Whose JSON web tokens are taken beside keys.
package struct TokenSettings: Hashable, Sendable {
    package var expectations: TokenVerifier.Expectations
    package var keys: KeySource

    init(_ reader: YAMLReader, state: StateDirectory) throws {
        try reader.allow("issuer", "audience", "jwks", "tenant_claim")
        func required(_ name: String) throws -> String {
            guard let text = try reader.text(name) else { throw reader.failure(name, "is missing") }
            return text
        }
        let source = try required("jwks")
        let isURL = source.hasPrefix("https://") || source.hasPrefix("http://")
        keys = isURL ? .url(source) : .file(source.hasPrefix("/") ? source : "\(state.path)/\(source)")
        expectations = .init(
            issuer: try required("issuer"), audience: try required("audience"), tenantClaim: try reader.text("tenant_claim") ?? "sub")
    }
}
