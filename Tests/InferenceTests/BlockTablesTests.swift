import Inference
import Testing

@Suite struct BlockKeyTests {
    @Test func nameTokensAndAllBefore() {
        let root = BlockKey(tenant: "a", model: "m")
        #expect(root == BlockKey(tenant: "a", model: "m"))
        #expect(Set([root, BlockKey(tenant: "b", model: "m"), BlockKey(tenant: "a", model: "n"), BlockKey(tenant: "am", model: "")]).count == 4)
        func keys(_ tokens: [Token]) -> [BlockKey] {
            var chain = BlockKeyChain(root: root)
            chain.extend(to: tokens, blockLength: 4)
            return chain.keys
        }
        let tokens = (0..<13).map { Token($0) }
        #expect(keys(tokens).count == 3 && Set(keys(tokens)).count == 3)
        #expect(keys(Array(tokens.prefix(11))) == Array(keys(tokens).prefix(2)))
        var others = tokens
        others[1] = 7
        #expect(Set(keys(others)).isDisjoint(with: keys(tokens)), "a change changes all keys from there on")
        var grown = BlockKeyChain(root: root)
        for count in 1...13 { grown.extend(to: Array(tokens.prefix(count)), blockLength: 4) }
        #expect(grown.keys == keys(tokens))
    }
}

@Suite struct BlockPoolTests {
    private let keys = (0..<100).map { BlockKey(tenant: "\($0)", model: "") }

    @Test func handsOutBlanksFirstAndThenWhatWasKeptLongest() throws {
        var pool = BlockPool(count: 3)
        let blocks = (0..<3).compactMap { _ in pool.take() }
        #expect(blocks == [0, 1, 2] && pool.take() == nil && pool.availableCount == 0)
        pool.name(0, keys[0])
        pool.name(1, keys[1])
        for block in [1, 0, 2] as [BlockPool.Block] { pool.release(block) }
        #expect(pool.availableCount == 3 && pool.find(keys[0]) == 0 && pool.find(keys[1]) == 1)
        #expect(pool.take() == 2, "the blank one")
        #expect(pool.take() == 1 && pool.find(keys[1]) == nil, "the one that was kept longer")
        pool.hold(0)
        #expect(pool.availableCount == 0 && pool.take() == nil, "what is held stays")
        pool.hold(0)
        pool.release(0)
        #expect(pool.availableCount == 0)
        pool.release(0)
        #expect(pool.availableCount == 1 && pool.find(keys[0]) == 0)
    }

    @Test func theFirstBlockWithAContentIsTheOneFound() {
        var pool = BlockPool(count: 2)
        let (first, second) = (pool.take() ?? 9, pool.take() ?? 9)
        pool.name(first, keys[0])
        pool.name(second, keys[0])
        #expect(pool.find(keys[0]) == first)
        pool.release(second)
        pool.release(first)
        #expect(pool.take() == second, "it was not kept")
        #expect(pool.find(keys[0]) == first)
    }

    /// Against lists that say the same in the simplest way.
    @Test func agreesWithASimpleModel() {
        var random = SplitMix64(seed: 11)
        for size in [1, 2, 7] {
            var pool = BlockPool(count: size)
            var holders: [BlockPool.Block: Int] = [:]
            var names: [BlockPool.Block: BlockKey] = [:]
            var kept: [BlockPool.Block] = []
            for _ in 0..<4000 {
                let held = holders.keys.sorted()
                let key = keys[Int(random.next() % UInt64(size * 2))]
                switch random.next() % 5 {
                case 0, 1:
                    let block = pool.take()
                    let isBlank = holders.count + kept.count < size
                    #expect((block == nil) == (held.count == size))
                    guard let block else { continue }
                    #expect(holders[block] == nil && kept.contains(block) != isBlank)
                    if !isBlank {
                        #expect(block == kept.removeFirst())
                        names[block] = nil
                    }
                    holders[block] = 1
                case 2 where !held.isEmpty:
                    let block = held[Int(random.next() % UInt64(held.count))]
                    pool.name(block, key)
                    if names[block] == nil, !names.values.contains(key) { names[block] = key }
                case 3:
                    let found = pool.find(key)
                    #expect(found == names.first { $0.value == key }?.key)
                    guard let found else { continue }
                    pool.hold(found)
                    holders[found, default: 0] += 1
                    kept.removeAll { $0 == found }
                case 4 where !held.isEmpty:
                    let block = held[Int(random.next() % UInt64(held.count))]
                    pool.release(block)
                    holders[block]? -= 1
                    if holders[block] == 0 {
                        holders[block] = nil
                        if names[block] != nil { kept.append(block) }
                    }
                default: break
                }
                #expect(pool.heldCount == holders.count && pool.availableCount == size - holders.count)
            }
        }
    }
}

/// The scheduler with a cache that is too small for all: what a slice finds in its blocks is what was computed for its tokens.
@Suite struct CacheSchedulingTests {
    private struct Sequence {
        var tokens: [Token]
        var chain: BlockKeyChain?
        /// Where it ends.
        var length: Int
    }

    private static func sequence(_ tokens: [Token], tenant: String?, length: Int) -> Sequence {
        var chain = tenant.map { BlockKeyChain(root: BlockKey(tenant: $0, model: "")) }
        chain?.extend(to: tokens, blockLength: 4)
        return Sequence(tokens: tokens, chain: chain, length: length)
    }

    @Test func aBeginningIsComputedOnce() {
        var scheduler = Scheduler(.init(sequences: 4, tokensPerStep: 16, blocks: 40, blockLength: 4))
        let prefix = (0..<20).map { Token($0) }
        for id in 1...4 {
            let sequence = Self.sequence(prefix + [Token(100 + id)], tenant: id < 4 ? "a" : "b", length: 30)
            scheduler.add(id, tokens: 21, keys: sequence.chain?.keys ?? [])
        }
        #expect(scheduler.nextStep().map(\.sequence) == [1, 4], "2 and 3 wait for what 1 computes; 4 is someone else's")
        #expect(scheduler.runningCount == 2 && scheduler.waitingCount == 2)
        for _ in 2...3 { #expect(scheduler.nextStep().map(\.sequence) == [1, 4]) }
        let slices = scheduler.nextStep()
        #expect(slices.map(\.sequence) == [2, 3] && slices.allSatisfy { $0.range == 20..<21 })
        #expect(slices[0].blocks.prefix(5) == slices[1].blocks.prefix(5) && slices[0].blocks.last != slices[1].blocks.last)
    }

    @Test func aPrefixEndsWithItsTenant() {
        var scheduler = Scheduler(.init(sequences: 1, tokensPerStep: 64, blocks: 40, blockLength: 4))
        let tokens = (0..<20).map { Token($0) }
        for (id, tenant, expected) in [(1, "a", 0), (2, "a", 16), (3, "b", 0), (4, nil, 0), (5, "b", 16)] as [(Int, String?, Int)] {
            scheduler.add(id, tokens: 20, keys: Self.sequence(tokens, tenant: tenant, length: 20).chain?.keys ?? [])
            #expect(scheduler.nextStep().first?.range == expected..<20, "the last token is evaluated in any case")
            scheduler.remove(id)
        }
    }

    @Test func theLastToJoinMakesRoom() {
        var scheduler = Scheduler(.init(sequences: 2, tokensPerStep: 8, blocks: 4, blockLength: 4))
        for id in 1...2 { scheduler.add(id, tokens: 4) }
        #expect(scheduler.nextStep().count == 2)
        var evaluated = [1: 4, 2: 4]
        for _ in 0..<12 {
            for id in 1...2 { scheduler.appendToken(to: id) }
            for slice in scheduler.nextStep() { evaluated[slice.sequence] = slice.range.upperBound }
        }
        #expect(evaluated[1] == 16 && scheduler.runningCount == 1 && scheduler.waitingCount == 1)
        scheduler.remove(1)
        #expect(scheduler.nextStep().map(\.range) == [0..<8], "its tokens are evaluated again")
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func blocksHoldWhatTheirSequencesNeed(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let (blocks, length) = (12, 4)
        var scheduler = Scheduler(.init(sequences: 5, tokensPerStep: 9, blocks: blocks, blockLength: length))
        /// For each place in the cache what is there: a tenant, and all tokens up to that one.
        var cache = [[String]](repeating: Array(repeating: "", count: length), count: blocks)
        var sequences: [Int: Sequence] = [:]
        var finished = 0
        var reused = 0
        func content(_ id: Int, _ position: Int, _ sequence: Sequence) -> String {
            // One that shares nothing may find only its own.
            "\(sequence.chain == nil ? "only \(id)" : "tenant \(id % 2)") \(sequence.tokens.prefix(position + 1))"
        }
        for round in 0..<3000 {
            if round < 2900, random.next() % 3 == 0 {
                let prompt = (0..<Int(random.next() % 30) + 1).map { Token($0 / 5 * Int(random.next() % 8 / 7 + 1)) }
                let tenant = random.next() % 8 == 0 ? nil : "\(round % 2)"
                sequences[round] = Self.sequence(prompt, tenant: tenant, length: min(48, prompt.count + Int(random.next() % 20)))
                scheduler.add(round, tokens: prompt.count, keys: sequences[round]?.chain?.keys ?? [])
            }
            if random.next() % 20 == 0, let id = sequences.keys.randomElement(using: &random) {
                scheduler.remove(id)
                sequences[id] = nil
            }
            let slices = scheduler.nextStep()
            #expect(!slices.isEmpty || sequences.isEmpty, "someone gets on")
            for slice in slices {
                guard let sequence = sequences[slice.sequence] else { continue }
                for position in slice.range { cache[Int(slice.blocks[position / length])][position % length] = content(slice.sequence, position, sequence) }
            }
            for slice in slices {
                guard var sequence = sequences[slice.sequence] else { continue }
                for position in 0..<slice.range.upperBound {
                    #expect(cache[Int(slice.blocks[position / length])][position % length] == content(slice.sequence, position, sequence))
                }
                reused += slice.range.lowerBound % length == 0 && slice.range.lowerBound > 0 ? 1 : 0
                guard slice.range.upperBound == sequence.tokens.count else { continue }
                if sequence.tokens.count >= sequence.length {
                    scheduler.remove(slice.sequence)
                    sequences[slice.sequence] = nil
                    finished += 1
                } else {
                    sequence.tokens.append(Token(random.next() % 2))
                    let known = sequence.chain?.keys.count
                    sequence.chain?.extend(to: sequence.tokens, blockLength: length)
                    sequences[slice.sequence] = sequence
                    scheduler.appendToken(to: slice.sequence, key: sequence.chain?.keys.count == known ? nil : sequence.chain?.keys.last)
                }
            }
        }
        #expect(finished > 200 && reused > 100)
        for id in sequences.keys { scheduler.remove(id) }
        #expect(scheduler.cacheUsage == 0 && scheduler.runningCount == 0 && scheduler.waitingCount == 0, "no block is lost")
    }
}
