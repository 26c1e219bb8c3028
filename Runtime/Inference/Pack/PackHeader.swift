import Crypto
import Kernels
import SwiftletSystem

/// The first pages of a pack: what it was made of, the model file's head, and where each table and matrix lies.
///
/// All numbers are little-endian, and of 64 bits. `SWLPACK` and a zero byte; the layout's version, the header's bytes, the
/// file's bytes; the model file's bytes, its modification time in nanoseconds and its inode; its SHA-256; the head's bytes and
/// the head (see GGUFFile+Head.swift); the number of tables, and for each its offset, bytes and its name's length, and the name;
/// the number of matrices, and for each its type, rows, columns, offset and its name's length, and the name; zeros; and, as the
/// header's last 32 bytes, the SHA-256 of all before them.
struct PackHeader {
    /// Changes whenever the bytes of a pack would mean something else: layout.h, the tokenizers' tables, and this header.
    static let version: UInt64 = 2
    static let pageSize = 4096
    private static let tableAlignment = 64
    private static let magic = Array("SWLPACK\0".utf8)
    /// A header is some pages; more than this is damage.
    private static let sizeLimit = 1 << 26

    /// The model's file. Where a time or an inode differs, the contents decide.
    struct Source: Hashable {
        var byteCount: Int
        var modified: Int64
        var inode: UInt64
    }

    struct TableEntry: Hashable {
        var name: String
        var byteCount: Int
        /// From the file's beginning; a multiple of 64.
        var offset: Int
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
    let head: [UInt8]
    /// Where in the file the head is.
    static let headOffset = 8 + 6 * 8 + 32 + 8
    private(set) var tables: [TableEntry] = []
    private(set) var entries: [Entry] = []
    private(set) var headerBytes: Int
    private(set) var fileBytes: Int

    /// Lays tables and matrices out one after the other, each matrix from a page's beginning.
    init(source: Source, digest: [UInt8], head: [UInt8], tables: [(name: String, byteCount: Int)], matrices: [Matrix]) {
        (self.source, self.digest, self.head) = (source, digest, head)
        let fixed = 8 * 10 + 32 + 32 + head.count
        let listed = tables.reduce(0) { $0 + 24 + $1.name.utf8.count } + matrices.reduce(0) { $0 + 40 + $1.name.utf8.count }
        headerBytes = PackHeader.roundUp(fixed + listed)
        var offset = headerBytes
        for table in tables {
            offset = PackHeader.roundUp(offset, to: PackHeader.tableAlignment)
            self.tables.append(TableEntry(name: table.name, byteCount: table.byteCount, offset: offset))
            offset += table.byteCount
        }
        offset = PackHeader.roundUp(offset)
        for matrix in matrices {
            let entry = Entry(name: matrix.name, type: matrix.type, rows: matrix.rows, columns: matrix.columns, offset: offset)
            offset += PackHeader.roundUp(entry.byteCount)
            entries.append(entry)
        }
        fileBytes = offset
    }

    static func roundUp(_ bytes: Int, to multiple: Int = pageSize) -> Int { (bytes + multiple - 1) / multiple * multiple }

    /// Whether it is what would be made of these matrices, page by page and inside of the file.
    func fits(_ matrices: [Matrix]) -> Bool {
        let expected = PackHeader(
            source: source, digest: digest, head: head, tables: tables.map { ($0.name, $0.byteCount) }, matrices: matrices)
        return entries == expected.entries && tables == expected.tables && fileBytes == expected.fileBytes && headerBytes == expected.headerBytes
    }

    var encoded: [UInt8] {
        var bytes = PackHeader.magic
        func append(_ number: UInt64) { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }
        func append(_ numbers: Int...) { for number in numbers { append(UInt64(number)) } }
        append(PackHeader.version)
        append(headerBytes, fileBytes, source.byteCount)
        append(UInt64(bitPattern: source.modified))
        append(source.inode)
        bytes += digest
        append(head.count)
        bytes += head
        append(tables.count)
        for table in tables {
            append(table.offset, table.byteCount, table.name.utf8.count)
            bytes += table.name.utf8
        }
        append(entries.count)
        for entry in entries {
            append(Int(entry.type.rawValue), entry.rows, entry.columns, entry.offset, entry.name.utf8.count)
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
        func bytes(_ count: Int?) -> [UInt8]? {
            guard let count, count <= rest.count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        func name() -> String? { bytes(count()).map { String(decoding: $0, as: UTF8.self) } }
        guard bytes(8) == PackHeader.magic, number() == PackHeader.version, let headerBytes = count(), let fileBytes = count(),
            headerBytes % PackHeader.pageSize == 0, (PackHeader.pageSize...PackHeader.sizeLimit).contains(headerBytes),
            headerBytes <= file.count, fileBytes == file.count,
            SHA256.hash(data: file.prefix(headerBytes - 32)) == file[(headerBytes - 32)..<headerBytes],
            let sourceBytes = count(), let modified = number(), let inode = number(), let digest = bytes(32), let head = bytes(count()),
            let tableCount = count()
        else { return nil }
        (self.headerBytes, self.fileBytes, self.digest, self.head) = (headerBytes, fileBytes, digest, head)
        source = Source(byteCount: sourceBytes, modified: Int64(bitPattern: modified), inode: inode)
        for _ in 0..<tableCount {
            guard let offset = count(), let byteCount = count(), let name = name() else { return nil }
            tables.append(TableEntry(name: name, byteCount: byteCount, offset: offset))
        }
        guard let matrixCount = count() else { return nil }
        for _ in 0..<matrixCount {
            guard let type = number().flatMap({ UInt32(exactly: $0) }), let rows = count(), let columns = count(), let offset = count(),
                let name = name()
            else { return nil }
            entries.append(Entry(name: name, type: swl_type(rawValue: type), rows: rows, columns: columns, offset: offset))
        }
    }
}
