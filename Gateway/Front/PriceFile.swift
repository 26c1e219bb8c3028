import FoundationEssentials
import Ledger
import Supervisor
import SwiftletSystem

/// `prices.yaml`: what each model's tokens cost, in US dollars per token under LiteLLM's names.
///
/// ```yaml
/// chat:
///   input_cost_per_token: 0.00000015
///   cache_read_input_token_cost: 0.00000005   # default: the input price
///   output_cost_per_token: 0.0000006
/// ```
package enum PriceFile {
    /// - Returns: no prices when there is no such file: then every call costs nothing.
    /// - Throws: ``ManifestError`` with the line of a price that is missing, negative or not a number.
    package static func read(in state: StateDirectory) throws -> [Price] {
        guard let data = FileManager.default.contents(atPath: state.pricesFile) else { return [] }
        let reader = try YAMLReader(String(decoding: data, as: UTF8.self), file: state.pricesFile)
        return try reader.keys.map { model in
            guard let prices = try reader.mapping(model) else { throw reader.failure(model, "must have prices") }
            try prices.allow("input_cost_per_token", "cache_read_input_token_cost", "output_cost_per_token")
            func price(_ name: String) throws -> TokenPrice? {
                guard let text = try prices.text(name) else { return nil }
                do {
                    return try TokenPrice(dollarsPerToken: text)
                } catch {
                    throw prices.failure(name, "is not a price: \(error)")
                }
            }
            guard let input = try price("input_cost_per_token") else { throw prices.failure("input_cost_per_token", "is missing") }
            return Price(
                model: model, input: input, cachedInput: try price("cache_read_input_token_cost"),
                output: try price("output_cost_per_token") ?? .free)
        }
    }
}
