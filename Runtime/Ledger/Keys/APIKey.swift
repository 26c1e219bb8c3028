import Crypto
import FoundationEssentials
import Wire

/// What a caller shows as `Authorization: Bearer sk-swl-…`. The secret itself is shown once and never stored.
package struct APIKey: Hashable, Sendable {
    /// The public part of the key: in logs, in the ledger, in every list.
    package let id: String
    package let name: String
    /// Whose documents these are: several keys may share a tenant.
    package let tenant: String
    package let created: Date
    package let revoked: Date?
    package let settings: KeySettings

    package var isAdmin: Bool { settings.isAdmin }
}

/// What a key may do and spend; may be changed while it is in use.
package struct KeySettings: Hashable, Sendable {
    /// Who answers for the key: a name or an address.
    package var owner: String?
    package var tags: [String] = []
    /// From then on it opens nothing.
    package var expires: Date?
    /// The functions it may call; `nil` for all.
    package var functions: [String]?
    /// The model aliases that functions may call for it; `nil` for all.
    package var models: [String]?
    /// Whether it may see what all keys do and use.
    package var isAdmin = false
    /// What it may spend in a period and never exceeds; `nil` for no limit.
    package var maxBudget: NanoUSD?
    package var budgetDuration = BudgetDuration.total
    /// What it may spend in a period before the webhook is told.
    package var softBudget: NanoUSD?
    /// Requests per minute.
    package var rpmLimit: Int?
    /// Tokens per minute.
    package var tpmLimit: Int?
    package var maxParallelRequests: Int?

    package init() {}
}

/// The text of a key: `sk-swl-<public id>-<secret>`, the secret being 260 random bits.
struct KeyText {
    private static let prefix = "sk-swl-"
    // 32 characters, 5 bits each, without those that look like others.
    private static let alphabet = Array("abcdefghijkmnpqrstuvwxyz23456789".utf8)

    let id: String
    let text: String

    /// - Parameter id: of the key that gets another secret; a new one when there is none.
    init(id: String? = nil) {
        self.id = id ?? KeyText.random(16)
        text = "\(KeyText.prefix)\(self.id)-\(KeyText.random(52))"
    }

    /// `nil` when `text` cannot be a key.
    init?(_ text: String) {
        guard text.utf8.starts(with: KeyText.prefix.utf8), text.utf8.count < 256 else { return nil }
        let rest = text.utf8.dropFirst(KeyText.prefix.utf8.count)
        guard let dash = rest.firstIndex(of: UInt8(ascii: "-")), dash != rest.startIndex, let id = String(rest[..<dash]) else { return nil }
        self.id = id
        self.text = text
    }

    /// The secret has full entropy, so one round of SHA-256 is enough: there is nothing to guess.
    var hash: SHA256Digest { SHA256.hash(data: Data(text.utf8)) }

    // The system's generator is cryptographically secure.
    private static func random(_ length: Int) -> String {
        String(decoding: (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count)] }, as: UTF8.self)
    }
}
