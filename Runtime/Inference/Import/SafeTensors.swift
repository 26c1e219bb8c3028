import FoundationEssentials
import SwiftletSystem

/// A tensor of a safetensors file, in the file's order: the last dimension is the length of a row.
struct SafeTensor {
    enum Element: String {
        case f32 = "F32", f16 = "F16", bf16 = "BF16"

        var size: Int { self == .f32 ? 4 : 2 }
    }

    let name: String
    let shape: [Int]
    let element: Element
    private let file: MappedFile
    private let start: Int

    /// Fills `row` with the elements of a row of its length.
    func read(row index: Int, into row: inout [Float]) {
        let base = start + index * row.count * element.size
        switch element {
        case .f32: for i in row.indices { row[i] = Float(bitPattern: bits(base + 4 * i, UInt32.self)) }
        case .f16: for i in row.indices { row[i] = Float(Float16(bitPattern: bits(base + 2 * i, UInt16.self))) }
        case .bf16: for i in row.indices { row[i] = Float(bitPattern: UInt32(bits(base + 2 * i, UInt16.self)) << 16) }
        }
    }

    private func bits<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> T {
        T(littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}

/// Format: https://huggingface.co/docs/safetensors
extension SafeTensor {
    private struct Header: Decodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]
    }

    /// Every entry but `__metadata__`, which is not a tensor.
    private struct Headers: Decodable {
        var tensors: [String: Header] = [:]

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Swift.Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            for key in container.allKeys where key.stringValue != "__metadata__" {
                tensors[key.stringValue] = try container.decode(Header.self, forKey: key)
            }
        }
    }

    /// The tensors of a file by name.
    /// - Throws: ``InferenceError`` if the header is damaged or promises what the file does not hold.
    static func all(in path: String) throws -> [String: SafeTensor] {
        let file = try InferenceError.wrapping { () throws(FileError) in try MappedFile(path: path) }
        func failure(_ problem: String) -> InferenceError {
            InferenceError(.invalidFile, "\(path) is not a valid safetensors file: \(problem).")
        }
        guard file.bytes.count >= 8 else { throw failure("it is shorter than 8 bytes") }
        let length = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(file.bytes.count - 8) else { throw failure("its header is longer than the file") }
        let dataStart = 8 + Int(length)
        guard let headers = try? JSONDecoder().decode(Headers.self, from: Data(file.bytes[8..<dataStart])) else {
            throw failure("its header is not the JSON that it should be")
        }
        var tensors: [String: SafeTensor] = [:]
        for (name, header) in headers.tensors {
            let what = "the tensor \(name.quotedForMessage)"
            // Tensors of other types (position numbers, masks) are of no use to a model's import.
            guard let element = Element(rawValue: header.dtype) else { continue }
            guard header.shape.allSatisfy({ $0 > 0 }), let offsets = header.data_offsets.exactlyTwo,
                0 <= offsets.0, offsets.0 <= offsets.1, offsets.1 <= file.bytes.count - dataStart
            else { throw failure("\(what) reaches past its end; it may be an incomplete download") }
            let size = header.shape.reduce((element.size, false)) { product, length in
                let (next, overflow) = product.0.multipliedReportingOverflow(by: length)
                return (next, product.1 || overflow)
            }
            guard !size.1, size.0 == offsets.1 - offsets.0 else { throw failure("\(what) is not as large as its shape") }
            tensors[name] = SafeTensor(name: name, shape: header.shape, element: element, file: file, start: dataStart + offsets.0)
        }
        return tensors
    }
}

extension [Int] {
    fileprivate var exactlyTwo: (Int, Int)? { count == 2 ? (self[0], self[1]) : nil }
}
