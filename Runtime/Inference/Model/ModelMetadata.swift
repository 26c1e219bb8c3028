/// A model's hyperparameters: the metadata keys that begin with its architecture's name, each checked before it is used.
struct ModelMetadata {
    let file: GGUFFile
    let architecture: String

    /// The largest value that any count may have. The product of two still fits an `Int` many times over.
    static let limit = 1 << 24

    func failure(_ problem: String) -> InferenceError { InferenceError(.invalidFile, "\(file.path): \(problem).") }
    func unsupported(_ problem: String) -> InferenceError { InferenceError(.unsupported, "\(file.path): \(problem).") }

    func has(_ key: String) -> Bool { file.metadata["\(architecture).\(key)"] != nil }

    /// A whole number of at least 1.
    func count(_ key: String) throws -> Int {
        try file.metadata.requiredInteger("\(architecture).\(key)", in: 1...Self.limit)
    }

    /// - Parameter other: what a missing key means.
    func count(_ key: String, default other: Int) throws -> Int {
        has(key) ? try count(key) : other
    }

    /// A finite number greater than 0.
    func positive(_ key: String, default other: Float? = nil) throws -> Float {
        if let other, !has(key) { return other }
        let value = Float(try file.metadata.requiredFloat("\(architecture).\(key)"))
        guard value.isFinite, value > 0 else { throw failure("\(architecture).\(key) is \(value), but must be a number above 0") }
        return value
    }

    func string(_ key: String) -> String? { file.metadata.string("\(architecture).\(key)") }
    func integer(_ key: String) -> Int? { file.metadata.integer("\(architecture).\(key)") }
    func bool(_ key: String) -> Bool? { file.metadata.bool("\(architecture).\(key)") }
}
