import FoundationEssentials
import Ledger
import Supervisor
import SwiftletSystem

/// `prices.yaml`: what each model's tokens cost, in US dollars under LiteLLM's names; and fees for functions, if any.
///
/// ```yaml
/// chat:
///   input_cost_per_token: 0.00000015
///   cache_read_input_token_cost: 0.00000005        # default: the input price
///   output_cost_per_token: 0.0000006
///   cache_read_output_token_cost: 0                # of answers from the response cache, whose input costs the price above; default: free
/// large:
///   input_cost_per_million_tokens: 0.15            # the same, as price lists write it
///   output_cost_per_million_tokens: 0.6
/// embed:
///   embedding_cost_per_million_tokens: 0.02        # default: the input price
///   from:                                          # prices to come, each complete; a time is written 2027-01-01T08:00:00Z
///     2027-01-01: {embedding_cost_per_million_tokens: 0.03}
/// functions:
///   "*": {cost_per_invocation: 0.0000002}          # for those that are not named
///   summarize: {cost_per_invocation: 0.0001, cost_per_second: 0.00001}
/// ```
package enum PriceFile {
    /// What the file says.
    package struct Contents: Hashable, Sendable {
        package var prices: [Price] = []
        /// What some of these models cost from a date on.
        package var changes: [PriceChange] = []
        package var fees: [Fee] = []
    }

    /// - Returns: no prices when there is no such file: then every call costs nothing.
    /// - Throws: ``ManifestError`` with the line of a price that is missing, negative or not a number.
    package static func read(in state: StateDirectory) throws -> Contents {
        guard let data = FileManager.default.contents(atPath: state.pricesFile) else { return Contents() }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ManifestError(file: state.pricesFile, message: "is not UTF-8 text")
        }
        let reader = try YAMLReader(text, file: state.pricesFile)
        var contents = Contents()
        for name in reader.keys {
            guard let section = try reader.mapping(name) else { throw reader.failure(name, "must have prices") }
            if name == "functions" {
                contents.fees = try section.keys.map { try fee($0, in: section) }
            } else {
                contents.prices.append(try price(name, section))
                contents.changes += try changes(name, section)
            }
        }
        return contents
    }

    /// Reads the file and puts what it says in force; what has not changed gets no new version.
    /// - Throws: ``ManifestError`` or ``LedgerError``; everything stays as it was then.
    package static func reload(from state: StateDirectory, into ledger: Ledger) async throws {
        let contents = try read(in: state)
        try await ledger.setPrices(contents.prices, changes: contents.changes, fees: contents.fees)
    }

    private static func price(_ model: String, _ section: YAMLReader) throws -> Price {
        try section.allow(
            "input_cost_per_token", "input_cost_per_million_tokens", "cache_read_input_token_cost",
            "cache_read_input_cost_per_million_tokens", "output_cost_per_token", "output_cost_per_million_tokens",
            "cache_read_output_token_cost", "cache_read_output_cost_per_million_tokens", "from",
            "embedding_cost_per_token", "embedding_cost_per_million_tokens")
        let input = try section.price("input_cost_per_token", perMillion: "input_cost_per_million_tokens")
        let embedding = try section.price("embedding_cost_per_token", perMillion: "embedding_cost_per_million_tokens")
        guard let basis = input ?? embedding else { throw section.failure("input_cost_per_token", "is missing for '\(model)'") }
        return Price(
            model: model, input: basis,
            cachedInput: try section.price("cache_read_input_token_cost", perMillion: "cache_read_input_cost_per_million_tokens"),
            output: try section.price("output_cost_per_token", perMillion: "output_cost_per_million_tokens") ?? .free,
            embedding: embedding,
            cachedOutput: try section.price("cache_read_output_token_cost", perMillion: "cache_read_output_cost_per_million_tokens") ?? .free)
    }

    private static func changes(_ model: String, _ section: YAMLReader) throws -> [PriceChange] {
        guard let list = try section.mapping("from") else { return [] }
        return try list.keys.map { text in
            // A day is taken from the beginning of any text, so that a time is looked for first.
            let day = text.utf8.count == 10 ? try? Date(text, strategy: Date.ISO8601FormatStyle().year().month().day()) : nil
            guard let date = (try? Date(text, strategy: .iso8601)) ?? day else {
                throw list.failure(text, "is no date: write 2027-01-31, or 2027-01-31T08:00:00Z")
            }
            guard let later = try list.mapping(text) else { throw list.failure(text, "must have prices") }
            guard !later.keys.contains("from") else { throw later.failure("from", "stands beside a model's prices, not within a change of them") }
            return PriceChange(try price(model, later), from: date)
        }
    }

    private static func fee(_ function: String, in functions: YAMLReader) throws -> Fee {
        guard let section = try functions.mapping(function) else { throw functions.failure(function, "must have prices") }
        try section.allow("cost_per_invocation", "cost_per_second")
        return Fee(
            function: function, perInvocation: try section.price("cost_per_invocation") ?? .free,
            perSecond: try section.price("cost_per_second") ?? .free)
    }
}

extension YAMLReader {
    /// The price under `name`, or under `millionName` for a million; `nil` when there is neither.
    fileprivate func price(_ name: String, perMillion millionName: String? = nil) throws -> UnitPrice? {
        if let millionName, let text = try text(millionName) {
            guard !keys.contains(name) else { throw failure(millionName, "says the same as '\(name)'; write one of them") }
            return try priced(millionName) { try UnitPrice(dollarsPerMillion: text) }
        }
        return try text(name).map { text in try priced(name) { try UnitPrice(dollars: text) } }
    }

    private func priced(_ name: String, _ read: () throws -> UnitPrice) throws -> UnitPrice {
        do {
            return try read()
        } catch {
            throw failure(name, "is not a price: \(error)")
        }
    }
}
