import FoundationEssentials
import Kernels

extension Engine {
    package struct Configuration: Sendable {
        /// Threads that compute, the engine's own included.
        package var threads: Int
        /// Sequences that are decoded together; others wait in line.
        package var maximumSequences: Int
        /// The most tokens that a step of a generating model evaluates: what a running stream waits for at the most.
        package var tokensPerStep: Int
        /// The same for an embedding model; a longer text has a step of its own.
        package var embeddingTokensPerStep: Int
        /// Makes the context shorter than the model's own.
        package var contextLength: Int?
        /// A build of the kernels (`portable`, `avx2` or `avx512`) instead of the fastest, for comparisons.
        package var kernels: String?
        package var cacheType: CacheType
        /// Memory for attention's keys and values, of all sequences together and of prefixes that may come again: given by the
        /// system as it is first used. `nil` is what the sequences need at the most, or an eighth of the machine's.
        package var cacheBytes: Int?
        package var packing: Packing
        /// How many tokens of an answer may be guessed from what came before them, and evaluated, in one step; answers are the same
        /// with and without. 0 guesses none.
        package var draftMaximum: Int
        /// Adapters' files by the names under which requests choose them.
        package var adapters: [String: String]

        /// Where the weights in the kernels' layout are kept.
        package enum Packing: Sendable {
            /// In a file beside the model, or in memory where it can't be written.
            case file
            case memory
            /// Nowhere: weights are used as the model's file has them, with activations as 32-bit floats, for exact comparisons.
            case none
        }

        /// How attention's keys and values are stored.
        package enum CacheType: String, CaseIterable, Sendable {
            /// Twice the memory, for exact comparisons.
            case f32
            case f16
            /// Half the memory: bytes, with a scale for each 32 of a head's elements. llama.cpp's name.
            case q8 = "q8_0"

            var kernelType: swl_type {
                switch self {
                case .f32: SWL_F32
                case .f16: SWL_F16
                case .q8: SWL_Q8_0
                }
            }
        }

        /// With more tokens than this in a step, further ones take time of their own: what guesses are added up to.
        static let tokensPerGuessingStep = 16
        /// What ``draftMaximum`` may be.
        package static let draftRange = 0...tokensPerGuessingStep - 1

        package init(
            threads: Int = ProcessInfo.processInfo.activeProcessorCount, maximumSequences: Int = 16, tokensPerStep: Int = 64,
            embeddingTokensPerStep: Int = 512, contextLength: Int? = nil, kernels: String? = nil,
            cacheType: CacheType = .f16, cacheBytes: Int? = nil, packing: Packing = .file, draftMaximum: Int = 15, adapters: [String: String] = [:]
        ) {
            (self.threads, self.maximumSequences, self.tokensPerStep) = (threads, maximumSequences, tokensPerStep)
            (self.embeddingTokensPerStep, self.contextLength) = (embeddingTokensPerStep, contextLength)
            (self.kernels, self.cacheType, self.cacheBytes, self.packing) = (kernels, cacheType, cacheBytes, packing)
            (self.draftMaximum, self.adapters) = (draftMaximum, adapters)
        }

        func contextLength(of model: Int) -> Int { max(1, min(model, contextLength ?? model)) }

        /// - Parameter contextLength: what a sequence may have at the most; that less fits the cache is checked elsewhere.
        func limits(_ shape: KeyValueCache.Shape, contextLength: Int) throws(InferenceError) -> Scheduler.Limits {
            let sequences = max(1, maximumSequences), length = KeyValueCache.blockLength
            let needed = (contextLength + length - 1) / length * sequences
            let bytes = cacheBytes ?? Int(clamping: ProcessInfo.processInfo.physicalMemory / 8)
            let blocks = min(needed, bytes / shape.blockBytes, Int(BlockTables.Block.max) - 1)
            guard blocks >= 1 else {
                throw InferenceError(
                    .invalidRequest,
                    "The cache has \(bytes) bytes, and the keys and values of \(length) tokens alone take \(shape.blockBytes). Ask for more.")
            }
            return Scheduler.Limits(
                sequences: sequences, tokensPerStep: max(sequences, tokensPerStep),
                tokensPerGuessingStep: min(tokensPerStep, Self.tokensPerGuessingStep), blocks: blocks, blockLength: length)
        }

        func makeTeam() throws -> ThreadTeam { try ThreadTeam(threads: max(1, min(threads, 256))) }

        func makeKernels() throws -> swl_kernels {
            guard let table = kernels.map({ swl_kernels_named($0) }) ?? swl_best_kernels() else {
                throw InferenceError(.unsupported, "This machine does not run the kernels \(kernels ?? "").")
            }
            return table.pointee
        }
    }
}
