import FoundationEssentials
import SwiftletSystem

/// A model as Hugging Face publishes it: `config.json`, `model.safetensors` (or several with an index) and a tokenizer.
struct HuggingFaceFolder {
    let path: String

    /// - Throws: ``InferenceError`` if there is no `config.json` in it.
    init(_ path: String) throws {
        self.path = path
        guard has("config.json") else {
            throw InferenceError(.invalidFile, "\(path) is not a model folder: it has no config.json.")
        }
    }

    func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }

    func bytes(_ name: String) throws -> Data {
        let file = try InferenceError.wrapping { () throws(FileError) in try MappedFile(path: "\(path)/\(name)") }
        return withExtendedLifetime(file) { Data(file.bytes) }
    }

    /// - Throws: ``InferenceError`` that names the field at fault.
    func decode<T: Decodable>(_ type: T.Type, from name: String) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: bytes(name))
        } catch let DecodingError.keyNotFound(key, context) {
            throw failure(name, "it lacks \(field(context.codingPath + [key]))")
        } catch let DecodingError.typeMismatch(_, context), let DecodingError.valueNotFound(_, context) {
            throw failure(name, "\(field(context.codingPath)) is not of the right type")
        } catch let DecodingError.dataCorrupted(context) {
            throw failure(name, context.codingPath.isEmpty ? "it is not valid JSON" : "\(field(context.codingPath)) is not valid")
        }
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, from name: String) throws -> T? {
        has(name) ? try decode(type, from: name) : nil
    }

    func failure(_ name: String, _ problem: String) -> InferenceError {
        InferenceError(.invalidFile, "\(path)/\(name) can't be used: \(problem).")
    }

    func unsupported(_ problem: String) -> InferenceError {
        InferenceError(.unsupported, "\(path) can't be imported: \(problem).")
    }

    /// All tensors by name, from one file or several.
    func tensors() throws -> [String: SafeTensor] {
        struct Index: Decodable { let weight_map: [String: String] }
        if has("model.safetensors") { return try SafeTensor.all(in: "\(path)/model.safetensors") }
        guard let index = try decodeIfPresent(Index.self, from: "model.safetensors.index.json") else {
            throw InferenceError(
                .invalidFile, "\(path) has no model.safetensors, nor model.safetensors.index.json; Swiftlet imports no other weights.")
        }
        var tensors: [String: SafeTensor] = [:]
        for name in Set(index.weight_map.values) {
            guard !name.contains("/") else { throw failure("model.safetensors.index.json", "\(name.quotedForMessage) is not in the folder") }
            tensors.merge(try SafeTensor.all(in: "\(path)/\(name)")) { first, _ in first }
        }
        return tensors
    }

    private func field(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
}
