import SwiftletSystem

/// Writes a GGUF file (version 3): the header, then the tensors row by row, so that a model never has to fit in memory.
struct GGUFWriter {
    enum Value {
        case uint32(UInt32)
        case float32(Float)
        case bool(Bool)
        case string(String)
        case strings([[UInt8]])
        case int32s([Int32])
    }

    /// A tensor to be written.
    struct Tensor {
        let name: String
        /// GGUF's order: the first is the length of a row.
        let shape: [Int]
        /// A type that ``GGUFType/encode(_:into:)`` knows.
        let type: GGUFType
        /// Fills the buffer with a row's elements.
        let readRow: (_ row: Int, _ into: inout [Float]) throws -> Void

        var rowCount: Int { shape.dropFirst().reduce(1, *) }
        /// Rows are whole blocks: the importer chooses the type so.
        var byteCount: Int { rowCount * (shape[0] / type.blockLength) * type.blockBytes }
    }

    private static let alignment = 32
    private static let chunk = 1 << 20
    private var pairs: [(key: String, value: Value)] = []
    var tensors: [Tensor] = []

    mutating func set(_ key: String, _ value: Value) { pairs.append((key, value)) }

    /// - Parameter progress: is told the share that is written, 0 to 1.
    /// - Throws: ``InferenceError``; `path` is then as it was before.
    func write(to path: String, progress: (Double) -> Void) throws {
        let file = try InferenceError.wrapping { () throws(FileError) in try AtomicFile(path: path) }
        func flush(_ bytes: inout [UInt8]) throws {
            try InferenceError.wrapping { () throws(FileError) in try file.write(bytes) }
            bytes.removeAll(keepingCapacity: true)
        }
        var bytes = header()
        GGUFWriter.pad(&bytes)
        try flush(&bytes)
        let total = Double(tensors.reduce(0) { $0 + $1.byteCount })
        var written = 0
        for tensor in tensors {
            var row = [Float](repeating: 0, count: tensor.shape[0])
            for index in 0..<tensor.rowCount {
                try tensor.readRow(index, &row)
                guard tensor.type.encode(row, into: &bytes) else {
                    throw InferenceError(
                        .invalidFile, "The tensor \(tensor.name) holds a number that is not finite or too large for \(tensor.type.name).")
                }
                if bytes.count >= GGUFWriter.chunk {
                    written += bytes.count
                    try flush(&bytes)
                    progress(Double(written) / total)
                }
            }
            written += bytes.count
            try flush(&bytes)
            bytes += [UInt8](repeating: 0, count: -tensor.byteCount & (GGUFWriter.alignment - 1))
            try flush(&bytes)
        }
        try InferenceError.wrapping { () throws(FileError) in try file.commit() }
        progress(1)
    }

    private func header() -> [UInt8] {
        var bytes = Array("GGUF".utf8)
        bytes.append(UInt32(3))
        bytes.append(UInt64(tensors.count))
        bytes.append(UInt64(pairs.count))
        for (key, value) in pairs {
            bytes.append(string: key.utf8)
            bytes.append(value)
        }
        var offset = 0
        for tensor in tensors {
            bytes.append(string: tensor.name.utf8)
            bytes.append(UInt32(tensor.shape.count))
            for length in tensor.shape { bytes.append(UInt64(length)) }
            bytes.append(tensor.type.rawValue)
            bytes.append(UInt64(offset))
            offset += (tensor.byteCount + GGUFWriter.alignment - 1) & -GGUFWriter.alignment
        }
        return bytes
    }

    private static func pad(_ bytes: inout [UInt8]) {
        bytes += [UInt8](repeating: 0, count: -bytes.count & (alignment - 1))
    }
}

extension [UInt8] {
    /// Little-endian.
    mutating func append(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(string: some Collection<UInt8>) {
        append(UInt64(string.count))
        append(contentsOf: string)
    }

    fileprivate mutating func append(_ value: GGUFWriter.Value) {
        func kind(_ kind: GGUFValue.Kind) { append(kind.rawValue) }
        switch value {
        case .uint32(let number):
            kind(.uint32)
            append(number)
        case .float32(let number):
            kind(.float32)
            append(number.bitPattern)
        case .bool(let flag):
            kind(.bool)
            append(UInt8(flag ? 1 : 0))
        case .string(let text):
            kind(.string)
            append(string: text.utf8)
        case .strings(let texts):
            kind(.array)
            kind(.string)
            append(UInt64(texts.count))
            for text in texts { append(string: text) }
        case .int32s(let numbers):
            kind(.array)
            kind(.int32)
            append(UInt64(numbers.count))
            for number in numbers { append(number) }
        }
    }
}
