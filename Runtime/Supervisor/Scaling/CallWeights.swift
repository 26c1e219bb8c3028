/// How much work a request is likely to be. A request's tokens are known only when it has ended, so a key's calls are
/// taken to be as its recent ones were, in proportion to the function's usual call.
package struct CallWeights {
    /// A call counts for no more than this, however long the key's last ones were.
    package static let largest = 4.0
    private static let mostKeys = 1024

    private var usual = 0.0
    private var byKey: [String: Double] = [:]

    package init() {}

    /// A call of `key` has used so many tokens, prompt and completion.
    package mutating func record(tokens: Int, key: String) {
        let tokens = Double(tokens)
        usual = usual == 0 ? tokens : usual + (tokens - usual) / 32
        if byKey.count >= Self.mostKeys, byKey[key] == nil { byKey.removeAll() }
        byKey[key] = byKey[key].map { $0 + (tokens - $0) / 8 } ?? tokens
    }

    /// From 1, for a usual call or one of which nothing is known, to ``largest``.
    package func weight(of key: String) -> Double {
        guard usual > 0, let own = byKey[key] else { return 1 }
        return min(max(own / usual, 1), Self.largest)
    }
}
