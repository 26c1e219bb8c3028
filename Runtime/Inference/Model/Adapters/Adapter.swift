import Kernels

/// A LoRA adapter: for some of a model's weight matrices W two small ones by which W becomes W + scale · B · A.
///
/// Method: https://arxiv.org/abs/2106.09685. Format: what llama.cpp's `convert_lora_to_gguf.py` writes, with A as `NAME.lora_a`,
/// [rank][columns of W], and B as `NAME.lora_b`, [rows of W][rank]; the scale is `adapter.lora.alpha` / rank.
final class Adapter: Sendable {
    struct Change: Sendable {
        let a, b: Matrix
        let scale: Float
        var rank: Int { a.rows }
    }

    let name: String
    /// By the name of the weight matrix that each changes.
    let changes: [String: Change]

    /// - Parameters:
    ///   - base: the model that it is for; what is checked is that architecture, names and shapes are the model's.
    /// - Throws: ``InferenceError`` that says why it can't be used with the model.
    init(_ name: String, path: String, base: GGUFFile) throws {
        let file = try GGUFFile(path: path)
        func failure(_ code: InferenceError.Code, _ problem: String) -> InferenceError { InferenceError(code, "\(path): \(problem).") }
        guard file.metadata.string("general.type") == "adapter" else {
            throw failure(.invalidFile, "it is a model and not an adapter; adapters are made with llama.cpp's convert_lora_to_gguf.py")
        }
        let kind = try file.metadata.requiredString("adapter.type")
        guard kind == "lora" else { throw failure(.unsupported, "it is an adapter of the kind \(kind.quotedForMessage); Swiftlet has lora") }
        guard file.metadata["adapter.alora.invocation_tokens"] == nil else {
            throw failure(.unsupported, "it is an activated LoRA, which begins in mid-text; Swiftlet has those that hold for all of it")
        }
        let (own, models) = (try file.metadata.requiredString("general.architecture"), base.metadata.string("general.architecture"))
        guard own == models else {
            throw failure(.invalidFile, "it was made for the architecture \(own.quotedForMessage), but \(base.path) is \((models ?? "").quotedForMessage)")
        }
        let alpha = Float(try file.metadata.requiredFloat("adapter.lora.alpha"))
        guard alpha.isFinite else { throw failure(.invalidFile, "adapter.lora.alpha is \(alpha)") }

        var changes: [String: Change] = [:]
        for tensor in file.tensors where !tensor.name.hasSuffix(".lora_b") {
            guard tensor.name.hasSuffix(".lora_a") else {
                throw failure(.unsupported, "it has the tensor \(tensor.name.quotedForMessage), which is no part of a LoRA adapter")
            }
            let target = String(tensor.name.dropLast(".lora_a".count))
            changes[target] = try Adapter.change(of: target, tensor, file, base, alpha, failure)
        }
        let pairs = file.tensors.count { $0.name.hasSuffix(".lora_b") }
        guard !changes.isEmpty, pairs == changes.count else {
            throw failure(.invalidFile, "it has \(changes.count) matrices A and \(pairs) matrices B; each needs the other")
        }
        (self.name, self.changes) = (name, changes)
    }

    private static func change(
        of target: String, _ a: GGUFTensor, _ file: GGUFFile, _ base: GGUFFile, _ alpha: Float,
        _ failure: (InferenceError.Code, String) -> InferenceError
    ) throws -> Change {
        guard let weight = base.tensorIfPresent(target) else {
            throw failure(.invalidFile, "it changes \(target.quotedForMessage), which \(base.path) does not have: it was made for another model")
        }
        guard weight.shape.count == 2, target != "token_embd.weight" else {
            throw failure(.unsupported, "it changes \(target), and Swiftlet adapts neither embeddings nor experts nor vectors")
        }
        let b = try file.tensor("\(target).lora_b")
        let rank = a.rowCount
        guard a.shape == [weight.shape[0], rank], b.shape == [rank, weight.shape[1]] else {
            throw failure(
                .invalidFile,
                "its matrices for \(target) have the shapes \(a.shape) and \(b.shape), which do not fit \(weight.shape) in \(base.path): it was made for another model")
        }
        guard let a = Matrix(a), let b = Matrix(b), a.hasPlainProducts, b.hasPlainProducts else {
            throw failure(.unsupported, "its matrices for \(target) are \(a.type.name) and \(b.type.name); Swiftlet has adapters in F32, F16, BF16, Q8_0 and Q4_0")
        }
        // As in llama.cpp, 0 means that nothing is scaled.
        return Change(a: a, b: b, scale: alpha == 0 ? 1 : alpha / Float(rank))
    }
}
