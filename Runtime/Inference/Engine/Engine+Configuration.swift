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
        /// Keeps attention's keys and values as 32-bit floats: twice the memory, for exact comparisons.
        package var exactCache: Bool
        package var packing: Packing

        /// Where the weights in the kernels' layout are kept.
        package enum Packing: Sendable {
            /// In a file beside the model, or in memory where it can't be written.
            case file
            case memory
            /// Nowhere: weights are used as the model's file has them, with activations as 32-bit floats, for exact comparisons.
            case none
        }

        package init(
            threads: Int = ProcessInfo.processInfo.activeProcessorCount, maximumSequences: Int = 16, tokensPerStep: Int = 64,
            embeddingTokensPerStep: Int = 256, contextLength: Int? = nil, kernels: String? = nil, exactCache: Bool = false,
            packing: Packing = .file
        ) {
            (self.threads, self.maximumSequences, self.tokensPerStep) = (threads, maximumSequences, tokensPerStep)
            (self.embeddingTokensPerStep, self.contextLength) = (embeddingTokensPerStep, contextLength)
            (self.kernels, self.exactCache, self.packing) = (kernels, exactCache, packing)
        }

        func contextLength(of model: Int) -> Int { max(1, min(model, contextLength ?? model)) }

        var limits: Scheduler.Limits {
            let sequences = max(1, maximumSequences)
            return Scheduler.Limits(sequences: sequences, tokensPerStep: max(sequences, tokensPerStep))
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
