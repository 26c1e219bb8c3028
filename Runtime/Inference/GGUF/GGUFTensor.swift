import SwiftletSystem

/// A tensor of a mapped GGUF file. The mapping lives as long as any of its tensors does.
package struct GGUFTensor: Sendable {
    package let name: String
    /// 1 to 4 dimensions in GGUF's order: the first is the length of a row, whose elements are next to each other.
    package let shape: [Int]
    package let type: GGUFType
    private let file: MappedFile
    private let range: Range<Int>

    /// The data, aligned to `general.alignment` in the file. Valid while this tensor, or another of its file, is kept.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[range]) }
    package var rowLength: Int { shape[0] }
    package var rowCount: Int { shape.dropFirst().reduce(1, *) }
    package var elementCount: Int { shape.reduce(1, *) }

    init(_ header: TensorHeader, dataStart: Int, alignment: Int, _ cursor: GGUFCursor) throws {
        let what = "the tensor \(header.name.quotedForMessage)"
        guard let rowBytes = header.type.rowBytes(header.shape[0]) else {
            throw cursor.failure("\(what) has rows of \(header.shape[0]) elements, which \(header.type.name) can't store")
        }
        let (count, tooLarge) = rowBytes.multipliedReportingOverflow(by: header.elementCount / header.shape[0])
        guard header.offset % UInt64(alignment) == 0 else {
            throw cursor.failure("\(what) is not aligned to \(alignment) bytes")
        }
        let room = max(0, cursor.file.bytes.count - dataStart)
        guard !tooLarge, count <= room, header.offset <= UInt64(room - count) else {
            throw cursor.failure("\(what) reaches past its end; the file may be an incomplete download")
        }
        name = header.name
        shape = header.shape
        type = header.type
        file = cursor.file
        range = dataStart + Int(header.offset)..<dataStart + Int(header.offset) + count
    }
}
