import Inference
import Testing

@Suite struct SchedulerTests {
    private func scheduler(_ sequences: Int, _ tokensPerStep: Int) -> Scheduler {
        Scheduler(.init(sequences: sequences, tokensPerStep: tokensPerStep, blocks: 1000, blockLength: 16))
    }

    private func step(_ scheduler: inout Scheduler) -> [Int: Range<Int>] {
        Dictionary(uniqueKeysWithValues: scheduler.nextStep().map { ($0.sequence, $0.range) })
    }

    @Test func aPromptIsEvaluatedInPiecesAndThenTokenByToken() {
        var scheduler = scheduler(2, 8)
        scheduler.add(1, tokens: 20)
        #expect(step(&scheduler) == [1: 0..<8])
        #expect(step(&scheduler) == [1: 8..<16])
        #expect(step(&scheduler) == [1: 16..<20])
        #expect(step(&scheduler) == [:], "nothing is known beyond the prompt")
        scheduler.appendToken(to: 1)
        #expect(step(&scheduler) == [1: 20..<21])
    }

    // MARK: Guesses

    private func guessing(_ sequences: Int, blocks: Int = 1000, upTo tokens: Int = 16) -> Scheduler {
        Scheduler(.init(sequences: sequences, tokensPerStep: 64, tokensPerGuessingStep: tokens, blocks: blocks, blockLength: 16))
    }

    @Test func guessesThatDidNotHoldAreEvaluatedAnew() {
        var scheduler = guessing(2)
        scheduler.add(1, tokens: 4)
        #expect(scheduler.nextStep { _, limit in limit }.map(\.range) == [0..<4], "a prompt is not guessed")
        scheduler.appendToken(to: 1)
        let first = scheduler.nextStep { _, limit in limit }
        #expect(first.map(\.range) == [4..<20] && first.map(\.guesses) == [15], "what a step with guesses has room for")
        #expect(first[0].blocks.count == 2)
        // Two of them held, and another token came in place of the third.
        for _ in 0..<3 { scheduler.appendToken(to: 1) }
        let second = scheduler.nextStep { _, _ in 2 }
        #expect(second.map(\.range) == [7..<10] && second.map(\.guesses) == [2])
        // Both held; then none.
        for _ in 0..<3 { scheduler.appendToken(to: 1) }
        #expect(scheduler.nextStep { _, _ in 3 }.map(\.range) == [10..<14])
        scheduler.appendToken(to: 1)
        #expect(scheduler.nextStep().map(\.range) == [11..<12])
    }

    @Test func streamsShareTheRoomForGuesses() {
        var scheduler = guessing(12)
        for id in 0..<4 { scheduler.add(id, tokens: 1) }
        var asked: [Int: Int] = [:]
        let four = scheduler.nextStep { id, limit in
            asked[id] = limit
            return id == 2 ? limit : 0
        }
        #expect(asked == [0: 3, 1: 3, 2: 3, 3: 3] && four.map(\.guesses) == [0, 0, 3, 0], "what others leave is left")
        for id in 4..<10 { scheduler.add(id, tokens: 1) }
        for id in 0..<4 { scheduler.appendToken(to: id) }
        #expect(scheduler.nextStep { _, _ in 1 }.allSatisfy { $0.guesses == 0 && $0.range.count == 1 }, "ten are too many")
        // Nor beside a prompt that fills the step.
        var other = guessing(2)
        other.add(1, tokens: 1)
        other.add(2, tokens: 40)
        #expect(other.nextStep { _, _ in 1 }.allSatisfy { $0.guesses == 0 })
    }

    @Test func nobodyLeavesForAGuess() {
        var scheduler = guessing(2, blocks: 3)
        scheduler.add(1, tokens: 12)
        scheduler.add(2, tokens: 14)
        _ = scheduler.nextStep()
        for id in [1, 2] { scheduler.appendToken(to: id) }
        let slices = scheduler.nextStep { _, limit in limit }
        #expect(slices.map(\.guesses) == [7, 0] && slices.map(\.blocks.count) == [2, 1], "the second has no room to guess")
        #expect(scheduler.runningCount == 2)
        // Nothing held: the block is there for the second, which now needs it.
        for id in [1, 2] { scheduler.appendToken(to: id) }
        #expect(scheduler.nextStep().map(\.blocks.count) == [1, 1])
        for id in [1, 2] { scheduler.appendToken(to: id) }
        #expect(scheduler.nextStep().map(\.blocks.count) == [1, 2] && scheduler.runningCount == 2)
    }

    /// Blocks are found by their keys only when all in them is known and was evaluated as known.
    @Test func blocksOfGuessesAreNotShared() {
        let root = BlockKey(tenant: "t", model: "m")
        var chain = BlockKeyChain(root: root)
        let tokens = (0..<64).map { Token($0) }
        chain.extend(to: tokens, blockLength: 16)
        for held in 0...5 {
            var scheduler = guessing(3)
            scheduler.add(1, tokens: 14, keys: [])
            _ = scheduler.nextStep()
            // The first token fills nothing; guesses fill the block, and more.
            scheduler.appendToken(to: 1)
            #expect(scheduler.nextStep { _, limit in limit }.map(\.range) == [14..<30])
            for index in 15..<16 + held { scheduler.appendToken(to: 1, key: index == 15 ? chain.keys[0] : nil) }
            // The block's last token is known in any case, and evaluated as known from the first guess on that held.
            scheduler.add(2, tokens: 20, keys: [chain.keys[0]])
            let range = scheduler.nextStep().first { $0.sequence == 2 }?.range
            #expect(range == (held == 0 ? nil : 16..<20), "\(held)")
            let later = scheduler.nextStep().first { $0.sequence == 2 }?.range
            #expect(later == (held == 0 ? 16..<20 : nil))
        }
    }

    @Test func streamsGoOnWhileALongPromptIsEvaluated() {
        var scheduler = scheduler(4, 8)
        for stream in 1...3 { scheduler.add(stream, tokens: 1) }
        _ = scheduler.nextStep()
        scheduler.add(9, tokens: 1000)
        for round in 1...20 {
            for stream in 1...3 { scheduler.appendToken(to: stream) }
            let slices = step(&scheduler)
            for stream in 1...3 { #expect(slices[stream] == round..<round + 1) }
            #expect(slices[9] == (round - 1) * 5..<round * 5, "the rest of the step")
        }
    }

    @Test func aShortPromptDoesNotWaitForALongOne() {
        var scheduler = scheduler(4, 16)
        scheduler.add(1, tokens: 1000)
        #expect(step(&scheduler) == [1: 0..<16])
        scheduler.add(2, tokens: 5)
        scheduler.add(3, tokens: 100)
        #expect(step(&scheduler) == [1: 16..<22, 2: 0..<5, 3: 0..<5], "shares of a third; what a short one leaves goes on")
    }

    /// However many prompts there are and however long: each stream has a token in every step, and a step has no more than its tokens.
    @Test func manyLongPromptsDoNotStallStreams() {
        var scheduler = scheduler(16, 32)
        for stream in 0..<4 { scheduler.add(stream, tokens: 1) }
        _ = scheduler.nextStep()
        var evaluated: [Int: Int] = [:]
        for prompt in 4..<24 { scheduler.add(prompt, tokens: 700) }
        for _ in 0..<50 {
            for stream in 0..<4 { scheduler.appendToken(to: stream) }
            let slices = step(&scheduler)
            #expect((0..<4).allSatisfy { slices[$0]?.count == 1 })
            #expect(slices.values.reduce(0) { $0 + $1.count } == 32, "and the rest of the step is used")
            for (prompt, range) in slices where prompt >= 4 { evaluated[prompt, default: 0] += range.count }
        }
        #expect(evaluated.count == 12 && evaluated.values.allSatisfy { $0 > 50 }, "all that run get on")
    }

    @Test func whenBlocksEndTheLastToJoinLeavesAndComesAgain() {
        var scheduler = Scheduler(.init(sequences: 2, tokensPerStep: 64, blocks: 5, blockLength: 16))
        scheduler.add(1, tokens: 31)
        scheduler.add(2, tokens: 17)
        #expect(step(&scheduler) == [1: 0..<31, 2: 0..<17])
        var known = 31
        while scheduler.waitingCount == 0 {
            for id in [1, 2] { scheduler.appendToken(to: id) }
            #expect(step(&scheduler)[1] == known..<known + 1, "the first goes on")
            known += 1
        }
        #expect(known == 31 + 16, "with 48 and 33 tokens, the two would need a sixth block")
        scheduler.remove(1)
        #expect(step(&scheduler) == [2: 0..<33], "nothing of it is in the cache any longer")
    }

    @Test func moreSequencesThanSlotsWaitInLine() {
        var scheduler = scheduler(2, 8)
        for id in 1...4 { scheduler.add(id, tokens: 2) }
        #expect(Set(step(&scheduler).keys) == [1, 2])
        #expect(scheduler.runningCount == 2 && scheduler.waitingCount == 2)
        scheduler.remove(3)
        scheduler.remove(1)
        #expect(step(&scheduler) == [4: 0..<2], "3 left the line, 4 took the place of 1, and 2 has nothing to evaluate")
        #expect(scheduler.runningCount == 2 && scheduler.waitingCount == 0)
        scheduler.appendToken(to: 2)
        scheduler.appendToken(to: 1)
        #expect(step(&scheduler) == [2: 2..<3], "a removed sequence is gone")
    }

    @Test func everyTokenIsEvaluatedOnceAndNoStepIsTooLarge() {
        var random = SplitMix64(seed: 3)
        var scheduler = scheduler(5, 12)
        var known: [Int: Int] = [:]
        var evaluated: [Int: Int] = [:]
        for round in 0..<2000 {
            if round < 1900, random.next() % 3 == 0 {
                known[round] = Int(random.next() % 40) + 1
                scheduler.add(round, tokens: known[round] ?? 0)
            }
            let slices = scheduler.nextStep()
            #expect(slices.count <= 5 && slices.reduce(0) { $0 + $1.range.count } <= 12)
            #expect(Set(slices.map(\.sequence)).count == slices.count)
            for slice in slices {
                #expect(slice.range.lowerBound == evaluated[slice.sequence, default: 0])
                #expect(slice.range.upperBound <= known[slice.sequence] ?? 0)
                evaluated[slice.sequence] = slice.range.upperBound
                guard slice.range.upperBound == known[slice.sequence] else { continue }
                if random.next() % 4 == 0 {
                    scheduler.remove(slice.sequence)
                } else {
                    scheduler.appendToken(to: slice.sequence)
                    known[slice.sequence]? += 1
                }
            }
        }
        #expect(scheduler.runningCount + scheduler.waitingCount <= known.count)
    }
}

@Suite struct EmbeddingQueueTests {
    private func item(_ request: Int, _ index: Int) -> EmbeddingQueue.Item { EmbeddingQueue.Item(request: request, index: index) }

    @Test func textsAreTakenUpToTheLimit() {
        var queue = EmbeddingQueue(tokensPerStep: 10)
        queue.add(1, lengths: [4, 4, 4, 2])
        #expect(queue.nextBatch() == [item(1, 0), item(1, 1)])
        #expect(queue.nextBatch() == [item(1, 2), item(1, 3)])
        #expect(queue.nextBatch() == [] && queue.count == 0)
    }

    @Test func aTextLongerThanTheLimitComesAlone() {
        var queue = EmbeddingQueue(tokensPerStep: 10)
        queue.add(1, lengths: [3, 50, 3])
        #expect(queue.nextBatch() == [item(1, 0)])
        #expect(queue.nextBatch() == [item(1, 1)])
        #expect(queue.nextBatch() == [item(1, 2)])
    }

    @Test func aQuestionDoesNotWaitForManyDocuments() {
        var queue = EmbeddingQueue(tokensPerStep: 10)
        queue.add(1, lengths: Array(repeating: 5, count: 1000))
        #expect(queue.nextBatch() == [item(1, 0), item(1, 1)])
        queue.add(2, lengths: [5])
        #expect(queue.nextBatch() == [item(1, 2), item(2, 0)])
        queue.remove(1)
        #expect(queue.nextBatch() == [])
    }
}
