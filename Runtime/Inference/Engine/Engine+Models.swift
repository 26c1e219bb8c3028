import Kernels

/// How a file's architecture becomes a thread that computes.
extension Engine {
    typealias Parts = (worker: Worker, pack: WeightPack?, description: ModelDescription)

    static func decoder(
        _ architecture: Architecture, _ opened: ModelFile, _ tokenizer: any Tokenizer, _ configuration: Configuration, _ team: ThreadTeam,
        _ kernels: swl_kernels, _ gauge: LoadGauge
    ) throws -> Parts {
        let file = opened.file
        // Everything is checked before a pack is made of it.
        let unpacked = try Transformer(architecture, file)
        let shape = try unpacked.cacheShape(configuration.cacheType)
        let own = configuration.contextLength(of: unpacked.contextLength)
        if let pooling = unpacked.pooling {
            let batchLimit = max(1, configuration.embeddingTokensPerStep)
            let cache = try KeyValueCache(shape, blockCount: DecoderEmbedder.blockCount(batchLimit: batchLimit, contextLength: own))
            let pack = try WeightPack(opened, configuration.packing, team: team)
            let model = unpacked.packed(in: pack)
            let thread = try EngineThread {
                let decoder = TransformerDecoder(
                    model, Compute(team: team, kernels: kernels), cache: cache, contextLength: own, batchLimit: batchLimit, outputLimit: 0)
                return EmbeddingRunner(DecoderEmbedder(decoder, model, pooling), tokensPerStep: batchLimit, load: gauge)
            }
            let description = ModelDescription(
                file, contextLength: own, trainedContextLength: model.contextLength, embeddingLength: model.width,
                vocabularyCount: model.vocabularyCount, canGenerate: false)
            return (.embeddings(thread), pack, description)
        }
        let limits = try configuration.limits(shape, contextLength: own)
        let contextLength = min(own, limits.blocks * limits.blockLength)
        let cache = try KeyValueCache(shape, blockCount: limits.blocks)
        let pack = try WeightPack(opened, configuration.packing, team: team)
        let model = unpacked.packed(in: pack)
        // With experts, each further token has weights of its own to be read.
        let lookup = PromptLookup(most: configuration.draftMaximum, leastChance: model.hasExperts ? 0.6 : 0.1)
        let thread = try EngineThread { [path = file.path] in
            let decoder = TransformerDecoder(
                model, Compute(team: team, kernels: kernels), cache: cache, contextLength: contextLength,
                batchLimit: limits.tokensPerStep, outputLimit: limits.sequences)
            return SequenceRunner(
                decoder, model: path, tokenizer: tokenizer, kernels: kernels, limits: limits, lookup: lookup, load: gauge)
        }
        let description = ModelDescription(
            file, contextLength: contextLength, trainedContextLength: model.contextLength, embeddingLength: model.width,
            vocabularyCount: model.vocabularyCount, canGenerate: true)
        return (.sequences(thread), pack, description)
    }

    static func encoder(
        _ architecture: EncoderArchitecture, _ opened: ModelFile, _ configuration: Configuration, _ team: ThreadTeam, _ kernels: swl_kernels,
        _ gauge: LoadGauge
    ) throws -> Parts {
        let file = opened.file
        let unpacked = try Bert(architecture, file)
        let contextLength = configuration.contextLength(of: unpacked.contextLength)
        let pack = try WeightPack(opened, configuration.packing, team: team)
        let model = unpacked.packed(in: pack)
        let tokensPerStep = max(1, configuration.embeddingTokensPerStep)
        let alone = try ThreadTeam(threads: 1)
        let thread = try EngineThread {
            let encoder = BertEncoder(model, team: team, alone: alone, kernels, batchLimit: tokensPerStep)
            return EmbeddingRunner(encoder, tokensPerStep: tokensPerStep, load: gauge)
        }
        let description = ModelDescription(
            file, contextLength: contextLength, trainedContextLength: model.contextLength, embeddingLength: model.width,
            vocabularyCount: model.vocabularyCount, canGenerate: false)
        return (.embeddings(thread), pack, description)
    }
}
