import Wire

/// What one token, invocation or second costs: an integer count of nano-USD per million of them, so that every published price is exact.
package struct UnitPrice: Hashable, Sendable {
    /// 1 USD per unit is 10^15 of these.
    package let nanoUSDPerMillion: Int64

    package static let free = UnitPrice(nanoUSDPerMillion: 0)

    private init(nanoUSDPerMillion: Int64) { self.nanoUSDPerMillion = nanoUSDPerMillion }

    /// A price as it comes from the database, which refuses negative ones.
    init(stored: Int64) { self.init(nanoUSDPerMillion: stored) }

    /// Reads US dollars per unit, as in `0.00000015` or `1.5e-07`, without rounding.
    /// - Throws: ``LedgerError`` for anything that is not a plain decimal number of at most 15 decimals, or is below zero or beyond reason.
    package init(dollars text: String) throws {
        guard let price = UnitPrice.parse(text, decimals: 15) else {
            throw LedgerError(
                .invalid, "'\(text)' is not a price: write US dollars as a decimal number of at most 15 decimals, for example 0.00000015.")
        }
        self = price
    }

    /// Reads US dollars per million units, as in `0.15`, without rounding.
    /// - Throws: ``LedgerError`` for anything that is not a plain decimal number of at most 9 decimals, or is below zero or beyond reason.
    package init(dollarsPerMillion text: String) throws {
        guard let price = UnitPrice.parse(text, decimals: 9) else {
            throw LedgerError(
                .invalid, "'\(text)' is not a price per million: write US dollars as a decimal number of at most 9 decimals, for example 0.15.")
        }
        self = price
    }

    private static func parse(_ text: String, decimals: Int) -> UnitPrice? {
        let parts = text.split(separator: /[eE]/, maxSplits: 1, omittingEmptySubsequences: false)
        let number = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = number.count == 2 ? number[1] : ""
        let digits = number[0] + fraction
        guard !number[0].isEmpty, number.count == 1 || !fraction.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.count <= 64, let exponent = parts.count == 2 ? Int(parts[1]) : 0, exponent.magnitude <= 64
        else { return nil }

        var value: Int64 = 0
        var shift = decimals + exponent - fraction.count
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
        return UnitPrice(nanoUSDPerMillion: value)
    }
}

/// The prices of one model.
package struct Price: Hashable, Sendable {
    /// The model's alias; with an adapter, `alias:adapter`.
    package var model: String
    package var input: UnitPrice
    /// For the part of the input that was found in a cache.
    package var cachedInput: UnitPrice
    package var output: UnitPrice
    /// For input of which embeddings are made.
    package var embedding: UnitPrice
    /// For output that was not made again but found in the response cache; its input costs `cachedInput`.
    package var cachedOutput: UnitPrice

    /// - Parameters:
    ///   - cachedInput: The same as `input` when there is none.
    ///   - embedding: The same as `input` when there is none.
    package init(
        model: String, input: UnitPrice, cachedInput: UnitPrice? = nil, output: UnitPrice = .free, embedding: UnitPrice? = nil,
        cachedOutput: UnitPrice = .free
    ) {
        self.model = model
        self.input = input
        self.cachedInput = cachedInput ?? input
        self.output = output
        self.embedding = embedding ?? input
        self.cachedOutput = cachedOutput
    }

    /// The exact price of a call, rounded once, half up, to whole nano-USD.
    /// - Throws: ``LedgerError`` when it exceeds what a 64-bit integer holds (9.2 billion USD).
    package func cost(
        of kind: UsageRow.Kind = .chat, promptTokens: Int, cachedTokens: Int, completionTokens: Int
    ) throws -> NanoUSD {
        guard cachedTokens >= 0, promptTokens >= cachedTokens, completionTokens >= 0 else {
            throw LedgerError(.invalid, "Token counts must not be negative, and no more can be cached than was sent.")
        }
        let fresh = kind == .embedding ? embedding : input
        return try NanoUSD(
            rounding: [
                (promptTokens - cachedTokens, fresh), (cachedTokens, cachedInput), (completionTokens, kind.isCached ? cachedOutput : output),
            ],
            of: "this call of '\(model)'")
    }

    /// What a call may cost at most, however much of its input turns out to be cached.
    func worstCost(of kind: UsageRow.Kind, promptTokens: Int, completionTokens: Int) throws -> NanoUSD {
        try max(
            cost(of: kind, promptTokens: promptTokens, cachedTokens: 0, completionTokens: completionTokens),
            cost(of: kind, promptTokens: promptTokens, cachedTokens: promptTokens, completionTokens: completionTokens))
    }
}

/// What an invocation of a function costs beside its model calls.
package struct Fee: Hashable, Sendable {
    /// The function's name, or `*` for those that have no fee of their own.
    package var function: String
    package var perInvocation: UnitPrice
    /// For each second from admission to the last byte.
    package var perSecond: UnitPrice

    package init(function: String, perInvocation: UnitPrice = .free, perSecond: UnitPrice = .free) {
        self.function = function
        self.perInvocation = perInvocation
        self.perSecond = perSecond
    }

    package var isFree: Bool { perInvocation == .free && perSecond == .free }

    /// Rounded once, half up, to whole nano-USD.
    package func cost(milliseconds: Int64) throws -> NanoUSD {
        // A thousandth of a second's price for each millisecond: both sides times a thousand.
        let sum = UInt128(perInvocation.nanoUSDPerMillion) * 1000 + UInt128(max(0, milliseconds)) * UInt128(perSecond.nanoUSDPerMillion)
        return try NanoUSD(rounding: sum, of: 1_000_000_000, for: "an invocation of '\(function)'")
    }
}

extension NanoUSD {
    fileprivate init(rounding parts: [(count: Int, price: UnitPrice)], of what: String) throws {
        // Three products below 2^126 fit 128 bits.
        let sum = parts.reduce(into: UInt128(0)) { $0 += UInt128($1.count) * UInt128($1.price.nanoUSDPerMillion) }
        try self.init(rounding: sum, of: 1_000_000, for: what)
    }

    fileprivate init(rounding sum: UInt128, of denominator: UInt128, for what: String) throws {
        guard let count = Int64(exactly: (sum + denominator / 2) / denominator) else {
            throw LedgerError(.invalid, "The price of \(what) is beyond reason; check prices.yaml.")
        }
        self.init(count)
    }
}
