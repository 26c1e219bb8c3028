import Kernels

/// Chooses tokens. As in Hugging Face's `generate`: temperature first, then top-k, then top-p and min-p of what is left.
package struct Sampler {
    private let sampling: Sampling
    private var random: SplitMix64

    package init(_ sampling: Sampling) {
        self.sampling = sampling
        random = SplitMix64(seed: sampling.seed ?? UInt64.random(in: .min ... .max))
    }

    /// - Parameter logits: one score for each token of the vocabulary; overwritten.
    /// - Returns: `nil` where a score is not a number, or all are infinitely low.
    package mutating func next(_ logits: UnsafeMutableBufferPointer<Float>) -> Token? {
        for (token, bias) in sampling.bias { logits[Int(token)] += bias }
        guard let best = Self.best(logits), let start = logits.baseAddress else { return nil }
        guard sampling.temperature > 0 else { return Token(best) }
        let highest = logits[best]
        for index in logits.indices { logits[index] = (logits[index] - highest) / sampling.temperature }
        _ = swl_best_kernels().pointee.softmax(start, logits.count)
        return Token(choose(UnsafeBufferPointer(logits)))
    }

    /// The first of the highest scores.
    private static func best(_ logits: UnsafeMutableBufferPointer<Float>) -> Int? {
        var best: Int?
        var highest = -Float.infinity
        for index in logits.indices {
            let score = logits[index]
            if score > highest { (best, highest) = (index, score) } else if score.isNaN { return nil }
        }
        return highest.isFinite ? best : nil
    }

    private mutating func choose(_ probabilities: UnsafeBufferPointer<Float>) -> Int {
        guard sampling.topK > 0 || sampling.topP < 1 || sampling.minP > 0 else {
            return Self.draw(random.unit(), from: probabilities.indices) { probabilities[$0] }
        }
        var kept: [Int]
        if sampling.topK > 0 {
            let top = Array(LikeliestFirst(probabilities).prefix(sampling.topK))
            kept = nucleus(of: top, whole: top.reduce(0) { $0 + probabilities[$1] }, probabilities)
        } else {
            kept = nucleus(of: LikeliestFirst(probabilities), whole: 1, probabilities)
        }
        // They come by falling probability.
        if sampling.minP > 0, let best = kept.first {
            kept = Array(kept.prefix { probabilities[$0] >= sampling.minP * probabilities[best] })
        }
        return Self.draw(random.unit(), from: kept) { probabilities[$0] }
    }

    /// The first of the candidates that together have the share `topP` of the whole.
    private func nucleus(of candidates: some Sequence<Int>, whole: Float, _ probabilities: UnsafeBufferPointer<Float>) -> [Int] {
        var kept: [Int] = []
        var sum: Float = 0
        for candidate in candidates {
            kept.append(candidate)
            sum += probabilities[candidate]
            if sum >= sampling.topP * whole { break }
        }
        return kept
    }

    /// One of the indices, with chances proportional to its weight. `unit` is in 0..<1.
    private static func draw(_ unit: Double, from indices: some BidirectionalCollection<Int>, weight: (Int) -> Float) -> Int {
        let whole = indices.reduce(0.0) { $0 + Double(weight($1)) }
        var left = unit * whole
        for index in indices {
            left -= Double(weight(index))
            if left < 0 { return index }
        }
        // Rounding left a trace: the last that can be drawn at all.
        return indices.last { weight($0) > 0 } ?? 0
    }
}

/// Gives indices by falling probability, equal ones by rising index, without sorting them all: a heap.
private struct LikeliestFirst: Sequence, IteratorProtocol {
    private let probabilities: UnsafeBufferPointer<Float>
    private var heap: [Int32]

    init(_ probabilities: UnsafeBufferPointer<Float>) {
        self.probabilities = probabilities
        heap = (0..<Int32(probabilities.count)).map { $0 }
        for place in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(place) }
    }

    mutating func next() -> Int? {
        guard let first = heap.first else { return nil }
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        sink(0)
        return Int(first)
    }

    private func precedes(_ a: Int32, _ b: Int32) -> Bool {
        let (left, right) = (probabilities[Int(a)], probabilities[Int(b)])
        return left > right || (left == right && a < b)
    }

    private mutating func sink(_ start: Int) {
        var place = start
        while 2 * place + 1 < heap.count {
            var child = 2 * place + 1
            if child + 1 < heap.count, precedes(heap[child + 1], heap[child]) { child += 1 }
            guard precedes(heap[child], heap[place]) else { return }
            heap.swapAt(child, place)
            place = child
        }
    }
}

/// A small random number generator whose sequence is the same everywhere: https://prng.di.unimi.it/splitmix64.c
package struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// In 0..<1, with 53 random bits.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
