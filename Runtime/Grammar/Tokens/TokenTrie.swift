/// The tokens of a vocabulary by their bytes: a tree in preorder, so that a subtree is a range of nodes.
///
/// Made once per model and shared by all its grammars.
package final class TokenTrie: Sendable {
    struct Node: Sendable {
        /// The byte that leads here; of no meaning in the root, which is node 0.
        let byte: UInt8
        let depth: UInt16
        /// The node behind the last one below this one.
        var end: Int32
        /// The tokens whose bytes end here, in ``TokenTrie/sortedTokens``.
        var tokens: Range<Int32>
    }

    let nodes: [Node]
    let sortedTokens: [Int32]
    /// How many tokens the vocabulary has, with those that have no bytes.
    package let vocabularyCount: Int
    private let pieces: [[UInt8]]
    private let ends: Set<Int32>

    /// - Parameters:
    ///   - bytes: what a token stands for; none for control tokens, which no grammar allows.
    ///   - ends: whether a token ends the model's answer; allowed where the grammar may end.
    package init(vocabularyCount: Int, bytes: (Int32) -> [UInt8], ends: (Int32) -> Bool) {
        let tokens = 0..<Int32(vocabularyCount)
        self.vocabularyCount = vocabularyCount
        self.ends = Set(tokens.filter(ends))
        pieces = tokens.map { $0 }.map { [ends = self.ends] in ends.contains($0) ? [] : bytes($0) }
        // A token of 64 KiB is nothing that a model writes.
        let spelled = tokens.filter { [pieces] in (1...Int(UInt16.max)).contains(pieces[Int($0)].count) }
        sortedTokens = spelled.sorted { [pieces] in pieces[Int($0)].lexicographicallyPrecedes(pieces[Int($1)]) }

        var nodes = [Node(byte: 0, depth: 0, end: 0, tokens: 0..<0)]
        /// The nodes from the root to the token before.
        var path: [Int] = [0]
        var previous: [UInt8] = []
        for (place, token) in sortedTokens.enumerated() {
            let piece = pieces[Int(token)]
            let shared = zip(previous, piece).prefix { $0 == $1 }.count
            for closed in path[(shared + 1)...] { nodes[closed].end = Int32(nodes.count) }
            path.removeLast(path.count - shared - 1)
            for depth in shared..<piece.count {
                path.append(nodes.count)
                let here = Int32(place)
                nodes.append(Node(byte: piece[depth], depth: UInt16(depth + 1), end: 0, tokens: here..<here))
            }
            nodes[path[path.count - 1]].tokens = nodes[path[path.count - 1]].tokens.lowerBound..<Int32(place + 1)
            previous = piece
        }
        for closed in path { nodes[closed].end = Int32(nodes.count) }
        self.nodes = nodes
    }

    /// The bytes of a token; none for control tokens and numbers outside the vocabulary.
    func bytes(of token: Int32) -> [UInt8] { pieces.indices.contains(Int(token)) ? pieces[Int(token)] : [] }
    func isEnd(_ token: Int32) -> Bool { ends.contains(token) }
    var endTokens: Set<Int32> { ends }
}
