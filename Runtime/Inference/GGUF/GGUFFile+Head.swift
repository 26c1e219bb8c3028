import SwiftletSystem

/// A GGUF file's head in brief, for a pack: what a start needs to know, in a few pages instead of some megabytes.
///
/// It is the format's own header with the place of the data (64 bits) instead of the magic number and the version, and with
/// large arrays, a vocabulary's, left where they are: their type has the highest bit set, and the type and number of their
/// elements are followed not by the elements but by their place in the model's file.
extension GGUFFile {
    static let referenceMark: UInt32 = 1 << 31
    /// Arrays of fewer bytes stay in the head.
    private static let referenceLimit = 1024

    /// The head of this file in brief.
    func head() throws -> [UInt8] {
        var cursor = GGUFCursor(mapping)
        var bytes: [UInt8] = []
        func append(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }
        _ = try cursor.skip(8, "the magic number and the version")
        let tensorCount = try cursor.integer(UInt64.self, "the number of tensors")
        let pairCount = try cursor.integer(UInt64.self, "the number of metadata pairs")
        // A file without tensors may end before.
        append(UInt64(min(dataStart, size)))
        append(tensorCount)
        append(pairCount)
        for _ in 0..<pairCount {
            let start = cursor.offset
            let key = try cursor.name("a metadata key")
            let afterKey = cursor.offset
            let number = try cursor.integer(UInt32.self, "a type")
            guard let kind = GGUFValue.Kind(rawValue: number) else { throw cursor.failure("a type is unknown") }
            if case .array(let array) = try GGUFValue(kind, &cursor, key), cursor.offset - array.start >= GGUFFile.referenceLimit {
                bytes += mapping.bytes[start..<afterKey]
                append(number | GGUFFile.referenceMark)
                append(array.kind.rawValue)
                append(UInt64(array.count))
                append(UInt64(array.start))
            } else {
                bytes += mapping.bytes[start..<cursor.offset]
            }
        }
        let start = cursor.offset
        for _ in 0..<tensorCount { _ = try TensorHeader(&cursor) }
        return bytes + mapping.bytes[start..<cursor.offset]
    }
}
