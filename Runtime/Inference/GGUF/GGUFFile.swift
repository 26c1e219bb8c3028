import SwiftletSystem

/// A GGUF model file (version 2 or 3), memory-mapped read-only: metadata, and tensors that stay where they are in the file.
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
package struct GGUFFile: Sendable {
    package let path: String
    package let metadata: GGUFMetadata
    /// In the file's order.
    package let tensors: [GGUFTensor]
    /// The metadata in the file's order: each key with its value as the file has it, type and all.
    private let pairs: [(key: String, value: Range<Int>)]
    let mapping: MappedFile
    /// Where the tensors' data begins.
    let dataStart: Int
    private let indices: [String: Int]

    /// Reads and checks the header; no tensor data is touched.
    /// - Throws: ``InferenceError`` that names the file and what is wrong with it.
    package init(path: String) throws {
        try self.init(InferenceError.wrapping { () throws(FileError) in try MappedFile(path: path) })
    }

    init(_ file: MappedFile) throws {
        var cursor = GGUFCursor(file)
        let path = file.path
        guard file.bytes.prefix(4).elementsEqual("GGUF".utf8) else { throw cursor.failure("it does not begin with \"GGUF\"") }
        _ = try cursor.skip(4, "the magic number")
        let version = try cursor.integer(UInt32.self, "the version")
        guard version == 2 || version == 3 else {
            throw version.byteSwapped == 2 || version.byteSwapped == 3
                ? InferenceError(.unsupported, "\(path) is a big-endian GGUF file; Swiftlet reads little-endian ones.")
                : InferenceError(.unsupported, "\(path) has GGUF version \(version); Swiftlet reads versions 2 and 3.")
        }
        try self.init(file, &cursor, dataStart: nil)
    }

    /// - Parameters:
    ///   - pack: a file that has ``head()`` of this very file, `offset` bytes from its beginning.
    init(_ file: MappedFile, head pack: MappedFile, at offset: Int) throws {
        var cursor = GGUFCursor(pack, at: offset)
        let dataStart = try cursor.count(ofAtLeast: 1, "the place of the data", in: file)
        try self.init(file, &cursor, dataStart: dataStart)
    }

    /// - Parameters:
    ///   - cursor: at the number of tensors.
    ///   - dataStart: `nil` where it follows the header.
    private init(_ file: MappedFile, _ cursor: inout GGUFCursor, dataStart: Int?) throws {
        // Name lengths, dimension count, one dimension, type and offset; and key length, type and value.
        let tensorCount = try cursor.count(ofAtLeast: 32, "the number of tensors")
        let pairCount = try cursor.count(ofAtLeast: 13, "the number of metadata pairs")

        var values: [String: GGUFValue] = [:]
        var pairs: [(key: String, value: Range<Int>)] = []
        for _ in 0..<pairCount {
            let key = try cursor.name("a metadata key")
            let start = cursor.offset
            let number = try cursor.integer(UInt32.self, "the type of \(key.quotedForMessage)")
            let isReference = dataStart != nil && number & GGUFFile.referenceMark != 0
            guard let kind = GGUFValue.Kind(rawValue: isReference ? number & ~GGUFFile.referenceMark : number) else {
                throw cursor.failure("the metadata key \(key.quotedForMessage) has the unknown type \(number)")
            }
            let value = isReference ? GGUFValue.array(try GGUFArray(&cursor, key, in: file)) : try GGUFValue(kind, &cursor, key)
            pairs.append((key, start..<cursor.offset))
            guard values.updateValue(value, forKey: key) == nil else {
                throw cursor.failure("the metadata key \(key.quotedForMessage) is there twice")
            }
        }
        metadata = GGUFMetadata(path: file.path, values: values)
        self.pairs = pairs

        let headers = try (0..<tensorCount).map { _ in try TensorHeader(&cursor) }
        let alignment = try GGUFFile.alignment(metadata, cursor)
        // Can't overflow: a file's size and an alignment are far below 2^63.
        let start = dataStart ?? (cursor.offset + alignment - 1) / alignment * alignment
        tensors = try headers.map { try GGUFTensor($0, dataStart: start, alignment: alignment, GGUFCursor(file, at: start)) }
        self.dataStart = start
        var indices: [String: Int] = [:]
        for (index, tensor) in tensors.enumerated() where indices.updateValue(index, forKey: tensor.name) != nil {
            throw cursor.failure("the tensor \(tensor.name.quotedForMessage) is there twice")
        }
        self.indices = indices
        path = file.path
        mapping = file
    }

    /// - Throws: ``InferenceError`` if the file has no tensor of this name.
    package func tensor(_ name: String) throws -> GGUFTensor {
        guard let tensor = tensorIfPresent(name) else { throw InferenceError(.invalidFile, "\(path) lacks the tensor \(name).") }
        return tensor
    }

    package func tensorIfPresent(_ name: String) -> GGUFTensor? {
        indices[name].map { tensors[$0] }
    }

    /// The metadata in the file's order, to be copied as it is.
    var encodedPairs: [(key: String, value: [UInt8])] { pairs.map { ($0.key, Array(mapping.bytes[$0.value])) } }

    /// Of the whole file, in bytes.
    package var size: Int { mapping.bytes.count }
    /// The elements of all tensors.
    package var parameterCount: Int { tensors.reduce(0) { $0 &+ $1.elementCount } }
    /// The type in which most parameters are stored.
    package var mainType: GGUFType? {
        let counts = tensors.reduce(into: [:]) { $0[$1.type, default: 0] &+= $1.elementCount }
        return counts.max { $0.value < $1.value }?.key
    }

    private static func alignment(_ metadata: GGUFMetadata, _ cursor: GGUFCursor) throws -> Int {
        guard metadata["general.alignment"] != nil else { return 32 }
        let alignment = try metadata.requiredInteger("general.alignment", in: 1...1 << 30)
        guard alignment.nonzeroBitCount == 1 else { throw cursor.failure("general.alignment is \(alignment), not a power of two") }
        return alignment
    }
}

/// A tensor's entry in the header, before it is known where the data begins.
struct TensorHeader {
    let name: String
    let shape: [Int]
    let elementCount: Int
    let type: GGUFType
    let offset: UInt64

    init(_ cursor: inout GGUFCursor) throws {
        name = try cursor.name("a tensor's name")
        let what = "the entry of the tensor \(name.quotedForMessage)"
        let dimensions = try cursor.integer(UInt32.self, what)
        guard (1...4).contains(dimensions) else { throw cursor.failure("\(what) has \(dimensions) dimensions, not 1 to 4") }
        var shape: [Int] = []
        var elements = 1
        for _ in 0..<dimensions {
            let length = try cursor.integer(UInt64.self, what)
            guard length > 0, let length = Int(exactly: length) else { throw cursor.failure("\(what) has a dimension of \(length)") }
            let (product, overflow) = elements.multipliedReportingOverflow(by: length)
            guard !overflow else { throw cursor.failure("\(what) has more elements than can be counted") }
            elements = product
            shape.append(length)
        }
        let number = try cursor.integer(UInt32.self, what)
        guard let type = GGUFType(rawValue: number) else {
            throw InferenceError(.unsupported, "\(cursor.file.path): \(what) has the unknown type \(number); the file may need a newer Swiftlet.")
        }
        self.shape = shape
        self.type = type
        elementCount = elements
        offset = try cursor.integer(UInt64.self, what)
    }
}
