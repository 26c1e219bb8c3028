import SwiftletSystem

/// Reads little-endian values from a mapped file; everything is checked against the bytes that are left.
struct GGUFCursor {
    let file: MappedFile
    private(set) var offset: Int

    init(_ file: MappedFile, at offset: Int = 0) {
        self.file = file
        self.offset = offset
    }

    var bytesLeft: Int { file.bytes.count - offset }

    func failure(_ problem: String) -> InferenceError {
        InferenceError(.invalidFile, "\(file.path) is not a valid GGUF file: \(problem) (at byte \(offset)).")
    }

    /// - Parameter what: names the value in the error.
    mutating func integer<T: FixedWidthInteger>(_ type: T.Type, _ what: @autoclosure () -> String) throws -> T {
        guard bytesLeft >= T.bitWidth / 8 else { throw failure("it ends inside \(what())") }
        defer { offset += T.bitWidth / 8 }
        return T(littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// A 64-bit count of things that take at least `bytes` bytes each, so that it can't be more than the file holds.
    mutating func count(ofAtLeast bytes: Int, _ what: @autoclosure () -> String) throws -> Int {
        let count = try integer(UInt64.self, what())
        guard count <= UInt64(bytesLeft / bytes) else { throw failure("\(what()) is \(count), more than the file can hold") }
        return Int(count)
    }

    /// The same for things that are in another file.
    mutating func count(ofAtLeast bytes: Int, _ what: @autoclosure () -> String, in file: MappedFile) throws -> Int {
        let count = try integer(UInt64.self, what())
        guard count <= UInt64(file.bytes.count / bytes) else { throw failure("\(what()) is \(count), more than the file can hold") }
        return Int(count)
    }

    /// The range of the next `count` bytes.
    mutating func skip(_ count: Int, _ what: @autoclosure () -> String) throws -> Range<Int> {
        guard count <= bytesLeft else { throw failure("it ends inside \(what())") }
        defer { offset += count }
        return offset..<offset + count
    }

    /// The bytes of a string, which the file keeps behind a 64-bit length.
    mutating func stringBytes(_ what: @autoclosure () -> String) throws -> UnsafeRawBufferPointer {
        let length = try count(ofAtLeast: 1, "the length of \(what())")
        return UnsafeRawBufferPointer(rebasing: file.bytes[try skip(length, what())])
    }

    /// The name of a key or tensor: valid UTF-8 of at most 65,535 bytes, as the specification has it.
    mutating func name(_ what: @autoclosure () -> String) throws -> String {
        let bytes = try stringBytes(what())
        guard bytes.count <= 65_535, let name = String(validating: bytes, as: UTF8.self) else {
            throw failure("\(what()) is not UTF-8 text of at most 65,535 bytes")
        }
        return name
    }
}
