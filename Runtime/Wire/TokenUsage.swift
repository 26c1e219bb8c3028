import FoundationEssentials

/// Money: an integer count of nano-USD (1 USD = 1,000,000,000), so that sums are exact.
public struct NanoUSD: Hashable, Comparable, Sendable, AdditiveArithmetic {
    public var count: Int64

    public init(_ count: Int64) { self.count = count }

    public static let zero = NanoUSD(0)
    public static func + (a: NanoUSD, b: NanoUSD) -> NanoUSD { NanoUSD(a.count + b.count) }
    public static func - (a: NanoUSD, b: NanoUSD) -> NanoUSD { NanoUSD(a.count - b.count) }
    public static func < (a: NanoUSD, b: NanoUSD) -> Bool { a.count < b.count }

    /// The exact decimal value in US dollars.
    public var dollars: Decimal { Decimal(sign: count < 0 ? .minus : .plus, exponent: -9, significand: Decimal(count.magnitude)) }
}

extension NanoUSD: Codable {
    /// On the wire money is a JSON number of dollars with at most nine decimals.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(dollars)
    }

    public init(from decoder: any Decoder) throws {
        let dollars = try decoder.singleValueContainer().decode(Double.self)
        guard dollars.magnitude < 9e9 else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "not an amount of money"))
        }
        self.init(Int64((dollars * 1e9).rounded()))
    }
}

extension NanoUSD: CustomStringConvertible {
    /// Plain decimal dollars without trailing zeros, for example `0.00001234`.
    public var description: String {
        let (whole, rest) = count.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
        var text = "\(count < 0 ? "-" : "")\(whole)"
        guard rest > 0 else { return text }
        let digits = String(rest)
        text += "." + String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while text.utf8.last == UInt8(ascii: "0") { text.removeLast() }
        return text
    }
}

/// The tokens of one model call or one invocation and their price, in the field names of OpenAI's `usage` object plus `cost` (USD).
public struct TokenUsage: Hashable, Sendable {
    /// Tokens that went into models, `cachedTokens` included.
    public var promptTokens: Int
    /// The part of `promptTokens` that was found in a cache.
    public var cachedTokens: Int
    /// Tokens that models made.
    public var completionTokens: Int
    /// What these tokens cost.
    public var cost: NanoUSD

    public init(promptTokens: Int = 0, cachedTokens: Int = 0, completionTokens: Int = 0, cost: NanoUSD = .zero) {
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.completionTokens = completionTokens
        self.cost = cost
    }

    /// Prompt and completion together.
    public var totalTokens: Int { promptTokens + completionTokens }

    public static func += (a: inout TokenUsage, b: TokenUsage) {
        a.promptTokens += b.promptTokens
        a.cachedTokens += b.cachedTokens
        a.completionTokens += b.completionTokens
        a.cost += b.cost
    }
}

extension TokenUsage: Codable {
    private enum CodingKeys: String, CodingKey {
        case promptTokens = "prompt_tokens"
        case completionTokens = "completion_tokens"
        case totalTokens = "total_tokens"
        case promptTokensDetails = "prompt_tokens_details"
        case cost
    }
    private enum Details: String, CodingKey { case cachedTokens = "cached_tokens" }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(promptTokens, forKey: .promptTokens)
        try container.encode(completionTokens, forKey: .completionTokens)
        try container.encode(totalTokens, forKey: .totalTokens)
        try container.encode(cost, forKey: .cost)
        var details = container.nestedContainer(keyedBy: Details.self, forKey: .promptTokensDetails)
        try details.encode(cachedTokens, forKey: .cachedTokens)
    }

    /// Reads any OpenAI-compatible `usage`; fields that a server leaves out count as zero.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let details = try? container.nestedContainer(keyedBy: Details.self, forKey: .promptTokensDetails)
        self.init(
            promptTokens: try container.decodeIfPresent(Int.self, forKey: .promptTokens) ?? 0,
            cachedTokens: try details?.decodeIfPresent(Int.self, forKey: .cachedTokens) ?? 0,
            completionTokens: try container.decodeIfPresent(Int.self, forKey: .completionTokens) ?? 0,
            cost: try container.decodeIfPresent(NanoUSD.self, forKey: .cost) ?? .zero)
    }
}
