import Crypto
import FoundationEssentials

/// What a caller shows as `Authorization: Bearer sk-swl-…`. The secret itself is shown once and never stored.
package struct APIKey: Hashable, Sendable {
    /// The public part of the key: in logs, in the ledger, in every list.
    package let id: String
    package let name: String
    /// Whose documents, budgets and bills these are: several keys may share a tenant.
    package let tenant: String
    package let created: Date
    package let revoked: Date?
}

/// The text of a key: `sk-swl-<public id>-<secret>`, the secret being 260 random bits.
struct KeyText {
    private static let prefix = "sk-swl-"
    // 32 characters, 5 bits each, without those that look like others.
    private static let alphabet = Array("abcdefghijkmnpqrstuvwxyz23456789".utf8)

    let id: String
    let text: String

    init() {
        id = KeyText.random(16)
        text = "\(KeyText.prefix)\(id)-\(KeyText.random(52))"
    }

    /// `nil` when `text` cannot be a key.
    init?(_ text: String) {
        guard text.hasPrefix(KeyText.prefix), text.utf8.count < 256 else { return nil }
        let rest = text.dropFirst(KeyText.prefix.count)
        guard let dash = rest.firstIndex(of: "-"), dash != rest.startIndex else { return nil }
        self.id = String(rest[..<dash])
        self.text = text
    }

    /// The secret has full entropy, so one round of SHA-256 is enough: there is nothing to guess.
    var hash: SHA256Digest { SHA256.hash(data: Data(text.utf8)) }

    // The system's generator is cryptographically secure.
    private static func random(_ length: Int) -> String {
        String(decoding: (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count)] }, as: UTF8.self)
    }
}
