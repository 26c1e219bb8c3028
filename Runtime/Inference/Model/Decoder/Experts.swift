import Kernels

/// How many experts a layer has, and how many of them a token asks.
struct ExpertCount {
    let all: Int
    let used: Int
    /// Elements between an expert's two halves.
    let width: Int

    /// - Returns: `nil` for models without experts.
    init?(_ metadata: ModelMetadata, isAllowed: Bool) throws {
        guard (metadata.integer("expert_count") ?? 0) > 0 else { return nil }
        guard isAllowed else { throw metadata.unsupported("experts are not supported in this architecture") }
        all = try metadata.count("expert_count")
        used = try metadata.count("expert_used_count")
        width = try metadata.has("expert_feed_forward_length")
            ? metadata.count("expert_feed_forward_length") : metadata.count("feed_forward_length")
        guard used <= all else { throw metadata.failure("a token can't ask \(used) of \(all) experts") }
    }
}

/// A layer's feed-forward that is many, of which each token asks the few that a router scores highest for it.
struct Experts: Sendable {
    private(set) var router: Matrix
    private(set) var gate, up, down: [Matrix]
    let used: Int

    init(_ count: ExpertCount, layer: Int, width: Int, _ weights: inout WeightReader) throws {
        let at = "blk.\(layer)."
        used = count.used
        router = try weights.matrix("\(at)ffn_gate_inp.weight", rows: count.all, columns: width)
        gate = try weights.matrices("\(at)ffn_gate_exps.weight", count: count.all, rows: count.width, columns: width)
        up = try weights.matrices("\(at)ffn_up_exps.weight", count: count.all, rows: count.width, columns: width)
        down = try weights.matrices("\(at)ffn_down_exps.weight", count: count.all, rows: width, columns: count.width)
    }

    func packed(in pack: WeightPack?) -> Experts {
        var experts = self
        experts.router = router.packed(in: pack)
        (experts.gate, experts.up, experts.down) = (
            gate.map { $0.packed(in: pack) }, up.map { $0.packed(in: pack) }, down.map { $0.packed(in: pack) }
        )
        return experts
    }

    /// The experts that a token asks and their shares, which together are 1: the softmax over the highest scores.
    func choice(_ scores: UnsafeBufferPointer<Float>, _ kernels: swl_kernels) -> [(expert: Int, share: Float)] {
        let chosen = scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }.prefix(used)
        var shares = chosen.map { scores[$0] }
        _ = kernels.softmax(&shares, shares.count)
        return Array(zip(chosen, shares)).map { (expert: $0, share: $1) }
    }
}
