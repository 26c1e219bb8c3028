import Wire

/// What one token costs: an integer count of nano-USD per million tokens, so that every published price is exact.
package struct TokenPrice: Hashable, Sendable {
    /// 1 USD per token is 10^15 of these.
    package let nanoUSDPerMillionTokens: Int64

    package static let free = TokenPrice(nanoUSDPerMillionTokens: 0)

    private init(nanoUSDPerMillionTokens: Int64) { self.nanoUSDPerMillionTokens = nanoUSDPerMillionTokens }

    /// A price as it comes from the database, which refuses negative ones.
    init(stored: Int64) { self.init(nanoUSDPerMillionTokens: stored) }

    /// Reads US dollars per token, as in `0.00000015` or `1.5e-07`, without rounding.
    /// - Throws: ``LedgerError`` for anything that is not a plain decimal number of at most 15 decimals, or is below zero or beyond reason.
    package init(dollarsPerToken text: String) throws {
        guard let price = TokenPrice.parse(text) else {
            throw LedgerError(
                .invalid, "'\(text)' is not a price: write US dollars per token as a decimal number of at most 15 decimals, for example 0.00000015.")
        }
        self = price
    }

    private static func parse(_ text: String) -> TokenPrice? {
        let parts = text.split(separator: /[eE]/, maxSplits: 1, omittingEmptySubsequences: false)
        let number = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = number.count == 2 ? number[1] : ""
        let digits = number[0] + fraction
        guard !number[0].isEmpty, number.count == 1 || !fraction.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.count <= 64, let exponent = parts.count == 2 ? Int(parts[1]) : 0, exponent.magnitude <= 64
        else { return nil }

        var value: Int64 = 0
        var shift = 15 + exponent - fraction.count
        var significant = digits.drop { $0 == "0" }
        while significant.last == "0" {
            significant.removeLast()
            shift += 1
        }
        if significant.isEmpty { return .free }
        guard shift >= 0, shift <= 18 else { return nil }
        for digit in significant.utf8.map({ Int64($0 - 0x30) }) + Array(repeating: 0, count: shift) {
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowedToo) = product.addingReportingOverflow(digit)
            guard !overflowed, !overflowedToo else { return nil }
            value = sum
        }
        return TokenPrice(nanoUSDPerMillionTokens: value)
    }
}

/// The prices of one model.
package struct Price: Hashable, Sendable {
    /// The model's alias.
    package var model: String
    package var input: TokenPrice
    /// For the part of the input that was found in a cache.
    package var cachedInput: TokenPrice
    package var output: TokenPrice

    /// - Parameter cachedInput: The same as `input` when there is none.
    package init(model: String, input: TokenPrice, cachedInput: TokenPrice? = nil, output: TokenPrice = .free) {
        self.model = model
        self.input = input
        self.cachedInput = cachedInput ?? input
        self.output = output
    }

    /// The exact price of a call, rounded once, half up, to whole nano-USD.
    /// - Throws: ``LedgerError`` when it exceeds what a 64-bit integer holds (9.2 billion USD).
    package func cost(promptTokens: Int, cachedTokens: Int, completionTokens: Int) throws -> NanoUSD {
        guard cachedTokens >= 0, promptTokens >= cachedTokens, completionTokens >= 0 else {
            throw LedgerError(.invalid, "Token counts must not be negative, and no more can be cached than was sent.")
        }
        // Three products below 2^126 fit 128 bits.
        let sum = UInt128(promptTokens - cachedTokens) * UInt128(input.nanoUSDPerMillionTokens)
            + UInt128(cachedTokens) * UInt128(cachedInput.nanoUSDPerMillionTokens)
            + UInt128(completionTokens) * UInt128(output.nanoUSDPerMillionTokens)
        guard let count = Int64(exactly: (sum + 500_000) / 1_000_000) else {
            throw LedgerError(.invalid, "The price of this call of '\(model)' is beyond reason; check prices.yaml.")
        }
        return NanoUSD(count)
    }
}
