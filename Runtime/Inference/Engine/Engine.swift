import Kernels
import SwiftletSystem

/// One model, mapped from a GGUF file, that generates, scores or embeds for many callers at once.
///
/// All computing happens on the engine's own threads, which sleep while there is nothing to do.
package final class Engine: Sendable {
    enum Worker {
        case sequences(EngineThread<SequenceRunner>)
        case embeddings(EngineThread<EmbeddingRunner>)
    }

    package let description: ModelDescription
    package let tokenizer: any Tokenizer
    package let file: GGUFFile
    /// The weights in the kernels' layout; `nil` where no matrix has one.
    package let pack: WeightPack?
    private let worker: Worker
    let adapters: [String: Result<Adapter, any Error>]
    private let gauge: LoadGauge

    /// Maps the file and checks all that the architecture needs of it; weights are packed if they are not yet.
    /// - Throws: ``InferenceError`` where the file is damaged, incomplete, or needs what Swiftlet does not have.
    package init(path: String, configuration: Configuration = Configuration()) throws {
        let opened = try ModelFile(path: path, configuration.packing)
        file = opened.file
        gauge = LoadGauge()
        tokenizer = try opened.makeTokenizer()
        let (team, kernels) = (try configuration.makeTeam(), try configuration.makeKernels())
        let name = try file.metadata.requiredString("general.architecture")
        if let architecture = Architecture.named(name) {
            (worker, pack, description) = try Engine.decoder(architecture, opened, tokenizer, configuration, team, kernels, gauge)
        } else if let architecture = EncoderArchitecture.named(name) {
            (worker, pack, description) = try Engine.encoder(architecture, opened, configuration, team, kernels, gauge)
        } else {
            let known = Architecture.all.map(\.name) + EncoderArchitecture.all.map(\.name)
            throw InferenceError(
                .unsupported, "\(file.path) has the architecture \(name.quotedForMessage); Swiftlet has \(known.joined(separator: ", ")).")
        }
        adapters = Engine.adapters(configuration.adapters, for: file, description)
        guard tokenizer.vocabularyCount <= description.vocabularyCount else {
            throw InferenceError(
                .invalidFile,
                "\(file.path): the tokenizer has \(tokenizer.vocabularyCount) tokens, but the model has \(description.vocabularyCount).")
        }
        if let pack { startBlockingThread { pack.prefault() } }
    }

    /// What a step reads of the weights at the least.
    package var bytesPerStep: Int { pack?.byteCount ?? file.size }

    /// The multiplications with weights that a prompt's token takes; only an answer's also take the output matrix.
    package var productsPerToken: Int {
        file.tensors.filter { $0.shape.count == 2 && $0.name.hasPrefix("blk.") }.reduce(0) { $0 &+ $1.elementCount }
    }

    package var load: EngineLoad { gauge.value }

    /// Begins an answer. `maximumTokens` is cut to what the context has room for.
    /// - Throws: ``InferenceError`` where the request makes no sense, or its prompt fills the context
    ///   (``InferenceError/Code/contextLengthExceeded(limit:requested:)``).
    package func generate(_ request: GenerationRequest) throws -> Generation {
        guard case .sequences(let thread) = worker else { throw cannot("generate text") }
        try check(request.prompt, what: "prompt")
        let adapter = try adapter(request.adapter)
        try request.sampling.validate(vocabularyCount: description.vocabularyCount)
        guard request.maximumTokens >= 0 else {
            throw InferenceError(.invalidRequest, "The maximum number of tokens must not be negative.")
        }
        guard request.prompt.count < description.contextLength || request.maximumTokens == 0 else {
            throw InferenceError.contextLengthExceeded(limit: description.contextLength, requested: request.prompt.count)
        }
        var request = request
        request.maximumTokens = min(request.maximumTokens, description.contextLength - request.prompt.count)
        let generation = Generation()
        try thread.submit(
            .generation(.init(request: request, adapter: adapter, channel: generation.engineEnd, requested: ContinuousClock().now)))
        return generation
    }

    /// The natural logarithm of each token's probability after those before it; the first token has none.
    /// - Parameter adapter: the name of one of the model's.
    /// - Throws: ``InferenceError``, or `CancellationError`.
    package func score(_ tokens: [Token], adapter: String? = nil) async throws -> [Float] {
        guard case .sequences(let thread) = worker else { throw cannot("score text") }
        try check(tokens, what: "text")
        let adapter = try self.adapter(adapter)
        guard tokens.count > 1 else { return [] }
        return try await cancellable { cancellation, continuation in
            try thread.submit(.scoring(.init(tokens: tokens, adapter: adapter, continuation: continuation, cancellation: cancellation)))
        }
    }

    /// The natural logarithm of the probability of every token of the vocabulary to come after these.
    /// - Throws: ``InferenceError``, or `CancellationError`.
    package func predict(after tokens: [Token], adapter: String? = nil) async throws -> [Float] {
        guard case .sequences(let thread) = worker else { throw cannot("predict text") }
        try check(tokens, what: "text")
        let adapter = try self.adapter(adapter)
        return try await cancellable { cancellation, continuation in
            try thread.submit(.prediction(.init(tokens: tokens, adapter: adapter, continuation: continuation, cancellation: cancellation)))
        }
    }

    /// A vector of length 1 for each input, of `embeddingLength` elements, pooled as the model asks for.
    /// - Throws: ``InferenceError``, or `CancellationError`.
    package func embed(_ inputs: [[Token]]) async throws -> [[Float]] {
        guard case .embeddings(let thread) = worker else { throw cannot("embed text") }
        for input in inputs { try check(input, what: "input") }
        guard !inputs.isEmpty else { return [] }
        return try await cancellable { cancellation, continuation in
            try thread.submit(EmbeddingRunner.Job(texts: inputs, continuation: continuation, cancellation: cancellation))
        }
    }

    /// Ends everything that runs with an error. Blocks until the current step is done.
    package func shutdown() {
        switch worker {
        case .sequences(let thread): thread.end()
        case .embeddings(let thread): thread.end()
        }
    }

    private func check(_ tokens: [Token], what: String) throws {
        guard !tokens.isEmpty else { throw InferenceError(.invalidRequest, "The \(what) is empty.") }
        if let token = tokens.first(where: { $0 < 0 || $0 >= description.vocabularyCount }) {
            throw InferenceError(
                .invalidRequest, "The \(what) has the token \(token), but the vocabulary has 0…\(description.vocabularyCount - 1).")
        }
        guard tokens.count <= description.contextLength else {
            throw InferenceError.contextLengthExceeded(limit: description.contextLength, requested: tokens.count)
        }
    }

    private func cannot(_ action: String) -> InferenceError {
        InferenceError(.invalidRequest, "The model \(description.name) can't \(action).")
    }
}

/// Waits for a result that the engine's thread will give; cancelling the task tells the engine.
private func cancellable<T: Sendable>(
    _ submit: (CancellationFlag, CheckedContinuation<T, any Error>) throws -> Void
) async throws -> T {
    let cancellation = CancellationFlag()
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            do { try submit(cancellation, continuation) } catch { continuation.resume(throwing: error) }
        }
    } onCancel: {
        cancellation.set()
    }
}
