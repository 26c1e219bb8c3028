import Kernels

/// Embeds texts with an encoder. Of several texts each thread takes some for itself, so that none waits for another; where one is
/// too long for its share, and a text by itself, all threads work on all of it. A text's vector is the same bits either way.
final class BertEncoder: TextEncoder {
    let batchLimit: Int
    private let team: ThreadTeam
    private let together: BertPass
    /// One for each thread.
    private let apart: [BertPass]

    /// - Parameters:
    ///   - alone: a team of one thread.
    ///   - batchLimit: for texts that come together; one by itself may have the context's length.
    init(_ model: Bert, team: ThreadTeam, alone: ThreadTeam, _ kernels: swl_kernels, batchLimit: Int) {
        (self.team, self.batchLimit) = (team, batchLimit)
        together = BertPass(model, Compute(team: team, kernels: kernels), tokenLimit: max(batchLimit, model.contextLength))
        apart = (0..<(team.threads > 1 ? team.threads : 0)).map { _ in
            BertPass(model, Compute(team: alone, kernels: kernels), tokenLimit: batchLimit)
        }
    }

    func embed(_ texts: [[Token]]) -> [[Float]] {
        let total = texts.reduce(0) { $0 + $1.count }
        // Several groups for each thread, so that one which was delayed does less; the longest first.
        let groups = groups(texts, tokens: total / (team.threads * 2)).sorted { ($1.tokens, $0.texts.lowerBound) < ($0.tokens, $1.texts.lowerBound) }
        guard !apart.isEmpty, groups.count > 1, groups[0].tokens * team.threads <= total + total / 4 else {
            return together.embed(texts[...])
        }
        var vectors = [[Float]](repeating: [], count: texts.count)
        vectors.withUnsafeMutableBufferPointer { vectors in
            let vectors = vectors
            team.run(groups.count) { task, thread in
                let texts = texts[groups[task].texts]
                for (index, vector) in zip(texts.indices, apart[thread].embed(texts)) { vectors[index] = vector }
            }
        }
        return vectors
    }

    /// Neighbouring texts of `tokens` together at the most, or one text.
    private func groups(_ texts: [[Token]], tokens: Int) -> [(texts: Range<Int>, tokens: Int)] {
        var groups: [(texts: Range<Int>, tokens: Int)] = []
        for (index, text) in texts.enumerated() {
            if let last = groups.last, last.tokens + text.count <= tokens {
                groups[groups.count - 1] = (last.texts.lowerBound..<index + 1, last.tokens + text.count)
            } else {
                groups.append((index..<index + 1, text.count))
            }
        }
        return groups
    }
}
