import Crypto

/// Names the content of a full block: its tokens, all tokens before them, and whose they are. Each block's key is made from
/// that of the block before it, so that equal keys mean equal prefixes.
package struct BlockKey: Hashable, Sendable {
    private let words: SIMD4<UInt64>

    /// The key from which a sequence's first block is made. Tenants have different ones, so that nobody can learn from a
    /// call's speed or bill what another tenant has sent.
    /// - Parameter model: with which weights, and adapters, the keys and values are computed.
    package init(tenant: String, model: String) {
        var hash = SHA256()
        for text in [tenant, model] {
            withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: Array(text.utf8))
        }
        self.init(hash.finalize())
    }

    /// - Parameter tokens: those of one block.
    package init(after parent: BlockKey, _ tokens: ArraySlice<Token>) {
        var hash = SHA256()
        withUnsafeBytes(of: parent.words) { hash.update(bufferPointer: $0) }
        tokens.withUnsafeBytes { hash.update(bufferPointer: $0) }
        self.init(hash.finalize())
    }

    private init(_ digest: SHA256.Digest) {
        words = digest.withUnsafeBytes { $0.loadUnaligned(as: SIMD4<UInt64>.self) }
    }

    package static func == (a: BlockKey, b: BlockKey) -> Bool { a.words == b.words }
    /// Every part of a digest is as good as the others.
    package func hash(into hasher: inout Hasher) { hasher.combine(words.x) }
}

/// The keys of a sequence's full blocks, which grow with its tokens.
package struct BlockKeyChain: Sendable {
    package private(set) var keys: [BlockKey] = []
    private var last: BlockKey

    /// - Parameter root: whose sequence it is; see ``BlockKey/init(tenant:model:)``.
    package init(root: BlockKey) { last = root }

    /// - Parameter tokens: the sequence's, those that are known already included.
    package mutating func extend(to tokens: [Token], blockLength: Int) {
        while (keys.count + 1) * blockLength <= tokens.count {
            last = BlockKey(after: last, tokens[keys.count * blockLength..<(keys.count + 1) * blockLength])
            keys.append(last)
        }
    }
}
