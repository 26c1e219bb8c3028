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
        case float32s([Float])
        case bytes([UInt8])
        /// The type and the value as another file has them.
        case encoded([UInt8])
    }

    /// A tensor to be written.
    struct Tensor {
        let name: String
        /// GGUF's order: the first is the length of a row.
        let shape: [Int]
        let type: GGUFType
        let contents: Contents

        enum Contents {
            /// Rows to be encoded in a type that ``GGUFType/encode(_:into:)`` knows; the function fills its buffer with a row's
            /// elements, on any thread.
            case floats((_ row: Int, _ into: inout [Float]) -> Void)
            /// Another file's tensor of this type, as it is.
            case copy(GGUFTensor)
        }

        init(name: String, shape: [Int], type: GGUFType, readRow: @escaping (_ row: Int, _ into: inout [Float]) -> Void) {
            (self.name, self.shape, self.type, contents) = (name, shape, type, .floats(readRow))
        }

        init(copying tensor: GGUFTensor) {
            (name, shape, type, contents) = (tensor.name, tensor.shape, tensor.type, .copy(tensor))
        }

        var rowCount: Int { shape.dropFirst().reduce(1, *) }
        /// Rows are whole blocks: the importer chooses the type so.
        var byteCount: Int { rowCount * (shape[0] / type.blockLength) * type.blockBytes }
    }

    private static let alignment = 32
    private static let chunk = 1 << 20
    private var pairs: [(key: String, value: Value)] = []
    var tensors: [Tensor] = []

    mutating func set(_ key: String, _ value: Value) { pairs.append((key, value)) }

    /// - Parameters:
    ///   - team: the threads that encode rows.
    ///   - progress: is told the share that is written, 0 to 1.
    /// - Throws: ``InferenceError``; `path` is then as it was before.
    func write(to path: String, team: ThreadTeam, progress: (Double) -> Void) throws {
        let file = try InferenceError.wrapping { () throws(FileError) in try AtomicFile(path: path) }
        func append(_ bytes: [UInt8]) throws { try InferenceError.wrapping { () throws(FileError) in try file.write(bytes) } }
        var head = header()
        GGUFWriter.pad(&head)
        try append(head)
        let total = Double(max(1, tensors.reduce(0) { $0 + $1.byteCount }))
        var written = 0
        for tensor in tensors {
            let rowBytes = tensor.byteCount / tensor.rowCount
            let step = max(team.threads, GGUFWriter.chunk / rowBytes)
            for first in stride(from: 0, to: tensor.rowCount, by: step) {
                let rows = first..<min(first + step, tensor.rowCount)
                switch tensor.contents {
                case .copy(let source): try append(Array(source.bytes[rows.lowerBound * rowBytes..<rows.upperBound * rowBytes]))
                case .floats(let readRow): try append(GGUFWriter.encode(tensor, rows, team, readRow))
                }
                written += rows.count * rowBytes
                progress(Double(written) / total)
            }
            try append([UInt8](repeating: 0, count: -tensor.byteCount & (GGUFWriter.alignment - 1)))
        }
        try InferenceError.wrapping { () throws(FileError) in try file.commit() }
        progress(1)
    }

    private static func encode(
        _ tensor: Tensor, _ rows: Range<Int>, _ team: ThreadTeam, _ readRow: (Int, inout [Float]) -> Void
    ) throws -> [UInt8] {
        var encoded = [[UInt8]?](repeating: nil, count: rows.count)
        encoded.withUnsafeMutableBufferPointer { encoded in
            let places = encoded  // each task has its own
            team.run(rows.count) { task, _ in
                var row = [Float](repeating: 0, count: tensor.shape[0])
                readRow(rows.lowerBound + task, &row)
                var bytes: [UInt8] = []
                if tensor.type.encode(row, into: &bytes) { places[task] = bytes }
            }
        }
        return try encoded.flatMap { bytes in
            guard let bytes else {
                throw InferenceError(
                    .invalidFile, "The tensor \(tensor.name) holds a number that is not finite or too large for \(tensor.type.name).")
            }
            return bytes
        }
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
        case .float32s(let numbers):
            kind(.array)
            kind(.float32)
            append(UInt64(numbers.count))
            for number in numbers { append(number.bitPattern) }
        case .bytes(let bytes):
            kind(.array)
            kind(.uint8)
            append(UInt64(bytes.count))
            append(contentsOf: bytes)
        case .encoded(let bytes): append(contentsOf: bytes)
        }
    }
}
