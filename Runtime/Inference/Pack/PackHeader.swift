import Crypto
import Kernels
import SwiftletSystem

/// The first pages of a weight pack: what it was made of, and where each matrix lies.
///
/// All numbers are little-endian. `SWLPACK` and a zero byte; then as 64-bit numbers the layout's version, the header's
/// bytes, the file's bytes, the model file's bytes and its modification time in nanoseconds; the model file's SHA-256; the
/// number of matrices; for each its type, rows, columns, offset and its name's length, and the name; zeros; and, as the
/// header's last 32 bytes, the SHA-256 of all before them.
struct PackHeader {
    /// Changes whenever packed bytes would mean something else: layout.h, and this header.
    static let version: UInt64 = 1
    static let pageSize = 4096
    private static let magic = Array("SWLPACK\0".utf8)
    /// A header is a few pages; more than this is damage.
    private static let sizeLimit = 1 << 26

    struct Source: Hashable {
        var byteCount: Int
        var modified: Int64
    }

    struct Entry: Hashable {
        var name: String
        var type: swl_type
        var rows: Int
        var columns: Int
        /// From the file's beginning; a multiple of the page size.
        var offset: Int

        var byteCount: Int { swl_packed_bytes(type, rows, columns) }
    }

    var source: Source
    var digest: [UInt8]
    var entries: [Entry]
    private(set) var headerBytes: Int
    private(set) var fileBytes: Int

    /// Lays the matrices out one after the other, each from a page's beginning.
    init(source: Source, digest: [UInt8], matrices: [Matrix]) {
        (self.source, self.digest) = (source, digest)
        let bytes = matrices.reduce(88 + 32) { $0 + 40 + $1.name.utf8.count }
        headerBytes = PackHeader.roundUp(bytes)
        var offset = headerBytes
        entries = []
        for matrix in matrices {
            let entry = Entry(name: matrix.name, type: matrix.type, rows: matrix.rows, columns: matrix.columns, offset: offset)
            offset += PackHeader.roundUp(entry.byteCount)
            entries.append(entry)
        }
        fileBytes = offset
    }

    static func roundUp(_ bytes: Int) -> Int { (bytes + pageSize - 1) / pageSize * pageSize }

    var encoded: [UInt8] {
        var bytes = PackHeader.magic
        func append(_ number: UInt64) { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }
        append(PackHeader.version)
        append(UInt64(headerBytes))
        append(UInt64(fileBytes))
        append(UInt64(source.byteCount))
        append(UInt64(bitPattern: source.modified))
        bytes += digest
        append(UInt64(entries.count))
        for entry in entries {
            for number in [Int(entry.type.rawValue), entry.rows, entry.columns, entry.offset, entry.name.utf8.count] { append(UInt64(number)) }
            bytes += entry.name.utf8
        }
        bytes += [UInt8](repeating: 0, count: headerBytes - 32 - bytes.count)
        return bytes + SHA256.hash(data: bytes)
    }

    /// `nil` where the bytes are not those of a whole pack of this version.
    init?(_ file: UnsafeRawBufferPointer) {
        var rest = file[...]
        func number() -> UInt64? {
            guard rest.count >= 8 else { return nil }
            defer { rest = rest.dropFirst(8) }
            return UInt64(littleEndian: UnsafeRawBufferPointer(rebasing: rest).loadUnaligned(as: UInt64.self))
        }
        func count() -> Int? { number().flatMap { Int(exactly: $0) } }
        func bytes(_ count: Int) -> [UInt8]? {
            guard count <= rest.count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        guard bytes(8) == PackHeader.magic, number() == PackHeader.version, let headerBytes = count(), let fileBytes = count(),
            headerBytes % PackHeader.pageSize == 0, (PackHeader.pageSize...PackHeader.sizeLimit).contains(headerBytes),
            headerBytes <= file.count, fileBytes == file.count,
            SHA256.hash(data: file.prefix(headerBytes - 32)) == file[(headerBytes - 32)..<headerBytes],
            let sourceBytes = count(), let modified = number(), let digest = bytes(32), let matrices = count()
        else { return nil }
        (self.headerBytes, self.fileBytes, self.digest) = (headerBytes, fileBytes, digest)
        source = Source(byteCount: sourceBytes, modified: Int64(bitPattern: modified))
        entries = []
        for _ in 0..<matrices {
            guard let type = number(), let rows = count(), let columns = count(), let offset = count(), let length = count(),
                let name = bytes(length), let type = UInt32(exactly: type)
            else { return nil }
            entries.append(
                Entry(name: String(decoding: name, as: UTF8.self), type: swl_type(rawValue: type), rows: rows, columns: columns, offset: offset))
        }
    }
}
