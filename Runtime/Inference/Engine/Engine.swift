import Kernels

/// One model, mapped from a GGUF file, that generates, scores or embeds for many callers at once.
///
/// All computing happens on the engine's own threads, which sleep while there is nothing to do.
package final class Engine: Sendable {
    private enum Worker {
        case sequences(EngineThread<SequenceRunner>)
        case embeddings(EngineThread<EmbeddingRunner>)
    }

    package let description: ModelDescription
    package let tokenizer: any Tokenizer
    package let file: GGUFFile
    private let worker: Worker
    private let gauge = LoadGauge()

    /// Maps the file and checks all that the architecture needs of it; no weight is read.
    /// - Throws: ``InferenceError`` where the file is damaged, incomplete, or needs what Swiftlet does not have.
    package init(path: String, configuration: Configuration = Configuration()) throws {
        file = try GGUFFile(path: path)
        tokenizer = try makeTokenizer(from: file.metadata)
        switch try file.metadata.requiredString("general.architecture") {
        case "llama":
            let model = try Llama(file)
            description = ModelDescription(
                file, contextLength: configuration.contextLength(of: model.contextLength), embeddingLength: model.width,
                vocabularyCount: model.vocabularyCount, canGenerate: true)
            worker = .sequences(try Self.start(model, description, tokenizer, configuration, gauge))
        case "bert":
            let model = try Bert(file)
            description = ModelDescription(
                file, contextLength: configuration.contextLength(of: model.contextLength), embeddingLength: model.width,
                vocabularyCount: model.vocabularyCount, canGenerate: false)
            worker = .embeddings(try Self.start(model, description, configuration, gauge))
        case let other:
            throw InferenceError(.unsupported, "\(file.path) has the architecture \(other.quotedForMessage); Swiftlet has llama and bert.")
        }
        guard tokenizer.vocabularyCount <= description.vocabularyCount else {
            throw InferenceError(
                .invalidFile,
                "\(file.path): the tokenizer has \(tokenizer.vocabularyCount) tokens, but the model has \(description.vocabularyCount).")
        }
    }

    private static func start(
        _ model: Llama, _ description: ModelDescription, _ tokenizer: any Tokenizer, _ configuration: Configuration, _ gauge: LoadGauge
    ) throws -> EngineThread<SequenceRunner> {
        let makeCompute = try configuration.makeCompute()
        let limits = configuration.limits
        return try EngineThread {
            let compute = makeCompute()
            let decoder = LlamaDecoder(
                model, compute, cacheType: configuration.exactCache ? SWL_F32 : SWL_F16, contextLength: description.contextLength,
                batchLimit: limits.tokensPerStep, outputLimit: limits.sequences)
            return SequenceRunner(decoder, tokenizer: tokenizer, kernels: compute.kernels, limits: limits, load: gauge)
        }
    }

    private static func start(
        _ model: Bert, _ description: ModelDescription, _ configuration: Configuration, _ gauge: LoadGauge
    ) throws -> EngineThread<EmbeddingRunner> {
        let makeCompute = try configuration.makeCompute()
        let tokensPerStep = max(1, configuration.embeddingTokensPerStep)
        return try EngineThread {
            let encoder = BertEncoder(model, makeCompute(), batchLimit: max(tokensPerStep, description.contextLength))
            return EmbeddingRunner(encoder, tokensPerStep: tokensPerStep, load: gauge)
        }
    }

    package var load: EngineLoad { gauge.value }

    /// Begins an answer. `maximumTokens` is cut to what the context has room for.
    /// - Throws: ``InferenceError`` where the request makes no sense, or its prompt fills the context
    ///   (``InferenceError/Code/contextLengthExceeded(limit:requested:)``).
    package func generate(_ request: GenerationRequest) throws -> Generation {
        guard case .sequences(let thread) = worker else { throw cannot("generate text") }
        try check(request.prompt, what: "prompt")
        try request.sampling.validate()
        guard request.maximumTokens >= 1 else {
            throw InferenceError(.invalidRequest, "The maximum number of tokens must be at least 1, not \(request.maximumTokens).")
        }
        guard request.prompt.count < description.contextLength else {
            throw InferenceError.contextLengthExceeded(limit: description.contextLength, requested: request.prompt.count)
        }
        var request = request
        request.maximumTokens = min(request.maximumTokens, description.contextLength - request.prompt.count)
        let generation = Generation()
        try thread.submit(
            .generation(.init(request: request, channel: generation.engineEnd, requested: ContinuousClock().now)))
        return generation
    }

    /// The natural logarithm of each token's probability after those before it; the first token has none.
    /// - Throws: ``InferenceError``, or `CancellationError`.
    package func score(_ tokens: [Token]) async throws -> [Float] {
        guard case .sequences(let thread) = worker else { throw cannot("score text") }
        try check(tokens, what: "text")
        guard tokens.count > 1 else { return [] }
        return try await cancellable { cancellation, continuation in
            try thread.submit(.scoring(.init(tokens: tokens, continuation: continuation, cancellation: cancellation)))
        }
    }

    /// The natural logarithm of the probability of every token of the vocabulary to come after these.
    /// - Throws: ``InferenceError``, or `CancellationError`.
    package func predict(after tokens: [Token]) async throws -> [Float] {
        guard case .sequences(let thread) = worker else { throw cannot("predict text") }
        try check(tokens, what: "text")
        return try await cancellable { cancellation, continuation in
            try thread.submit(.prediction(.init(tokens: tokens, continuation: continuation, cancellation: cancellation)))
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
