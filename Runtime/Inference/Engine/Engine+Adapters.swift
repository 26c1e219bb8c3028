/// The adapters of a model. One that can't be used does not keep the model, or the others, from work.
extension Engine {
    static func adapters(
        _ paths: [String: String], for base: GGUFFile, _ model: ModelDescription
    ) -> [String: Result<Adapter, any Error>] {
        Dictionary(uniqueKeysWithValues: paths.map { name, path in
            (name, Result {
                guard model.canGenerate else {
                    throw InferenceError(.unsupported, "\(path): adapters are for models that generate text, and \(base.path) makes embeddings.")
                }
                return try Adapter(name, path: path, base: base)
            })
        })
    }

    /// Sorted; those that can't be used included.
    package var adapterNames: [String] { adapters.keys.sorted() }

    /// Why some can't be used.
    package var adapterProblems: [String: any Error] {
        adapters.compactMapValues { if case .failure(let error) = $0 { error } else { nil } }
    }

    /// - Throws: ``InferenceError`` where there is none of this name, or it can't be used.
    func adapter(_ name: String?) throws -> Adapter? {
        guard let name else { return nil }
        guard let adapter = adapters[name] else {
            let known = adapters.isEmpty ? "none" : adapterNames.joined(separator: ", ")
            throw InferenceError(.invalidRequest, "The model \(description.name) has no adapter \(name.quotedForMessage); it has \(known).")
        }
        return try adapter.get()
    }
}
