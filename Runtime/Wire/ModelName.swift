/// What a request's `model` names: a model's alias, or, as `alias:adapter`, the model with one of its adapters.
package struct ModelName: Hashable, Sendable, CustomStringConvertible {
    package let alias: String
    package let adapter: String?

    package init(alias: String, adapter: String?) { (self.alias, self.adapter) = (alias, adapter) }

    package init(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        self.init(alias: parts[0], adapter: parts.count == 2 ? parts[1] : nil)
    }

    package var description: String { adapter.map { "\(alias):\($0)" } ?? alias }

    /// Whether who may use this may use `other`: a model's alias is for all its adapters, too.
    package func covers(_ other: ModelName) -> Bool { alias == other.alias && (adapter == nil || adapter == other.adapter) }

    /// What both lists allow: the narrower name of each pair that meets.
    package static func allowed(by first: [ModelName], and second: [ModelName]) -> [ModelName] {
        first.flatMap { name in second.compactMap { name.covers($0) ? $0 : $0.covers(name) ? name : nil } }
    }
}
