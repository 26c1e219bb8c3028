/// How sentence-transformers makes one vector of many, as GGUF's number: 1 mean, 2 the first token's, 3 the last one's.
enum PoolingImport {
    private struct Pooling: Decodable {
        let pooling_mode_cls_token, pooling_mode_mean_tokens, pooling_mode_lasttoken: Bool?
    }

    /// - Returns: `nil` for a folder that is not of sentence-transformers.
    static func typeIfPresent(_ folder: HuggingFaceFolder) throws -> UInt32? {
        guard let pooling = try folder.decodeIfPresent(Pooling.self, from: "1_Pooling/config.json") else { return nil }
        switch (pooling.pooling_mode_mean_tokens ?? false, pooling.pooling_mode_cls_token ?? false, pooling.pooling_mode_lasttoken ?? false) {
        case (true, false, false): return 1
        case (false, true, false): return 2
        case (false, false, true): return 3
        default: throw folder.unsupported("1_Pooling/config.json asks for a pooling other than mean, cls or last")
        }
    }
}
