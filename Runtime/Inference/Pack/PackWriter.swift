import Kernels
import SwiftletSystem

/// Makes a weight pack from a model file.
struct PackWriter {
    let header: PackHeader
    private let tables: [TableList.Item]
    private let matrices: [Matrix]
    /// How much is packed, and then written, at once.
    private static let chunk = 8 << 20

    /// - Parameter tables: what the tokenizer is made of.
    init(_ file: GGUFFile, _ tables: ReadyTables, _ matrices: [Matrix]) throws {
        self.matrices = matrices
        self.tables = tables.made.items
        header = PackHeader(
            source: PackHeader.Source(file.mapping), digest: file.mapping.digest(), head: try file.head(),
            tables: self.tables.map { ($0.name, $0.bytes.count) }, matrices: matrices)
    }

    /// - Throws: ``InferenceError``; the path is then as it was before.
    func write(to path: String, team: ThreadTeam) throws(InferenceError) {
        try InferenceError.wrapping { () throws(FileError) in
            let file = try AtomicFile(path: path)
            try file.write(header.encoded)
            var written = header.headerBytes
            func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
                try file.write([UInt8](repeating: 0, count: offset - written) + bytes)
                written = offset + bytes.count
            }
            for (table, entry) in zip(tables, header.tables) { try write(Array(table.bytes), at: entry.offset) }
            for (matrix, entry) in zip(matrices, header.entries) {
                let panelBytes = swl_packed_bytes(matrix.type, Int(SWL_PANEL), matrix.columns)
                let panels = matrix.panels
                let step = max(1, PackWriter.chunk / panelBytes)
                for first in stride(from: 0, to: panels, by: step) {
                    let count = min(step, panels - first)
                    var bytes = [UInt8](repeating: 0, count: count * panelBytes)
                    bytes.withUnsafeMutableBytes { PackWriter.pack(matrix, from: first, count: count, into: $0, team: team) }
                    try write(bytes, at: entry.offset + first * panelBytes)
                }
            }
            try write([], at: header.fileBytes)
            try file.dropCache()
            try file.commit()
        }
    }

    /// - Parameter memory: ``PackHeader/fileBytes`` bytes, of which the matrices' are written.
    func fill(_ memory: UnsafeMutableRawBufferPointer, team: ThreadTeam) {
        for (matrix, entry) in zip(matrices, header.entries) {
            let part = UnsafeMutableRawBufferPointer(rebasing: memory[entry.offset..<entry.offset + entry.byteCount])
            PackWriter.pack(matrix, from: 0, count: matrix.panels, into: part, team: team)
        }
    }

    private static func pack(_ matrix: Matrix, from first: Int, count: Int, into out: UnsafeMutableRawBufferPointer, team: ThreadTeam) {
        let panelBytes = swl_packed_bytes(matrix.type, Int(SWL_PANEL), matrix.columns)
        precondition(out.count >= count * panelBytes)
        guard let start = out.baseAddress else { return }
        team.run(count) { panel, _ in
            let (index, place) = (first + panel, start + panel * panelBytes)
            guard let foreignType = matrix.foreignType else {
                return swl_pack_panel(matrix.type, matrix.start, matrix.rows, matrix.columns, index, place)
            }
            let rows = index * Int(SWL_PANEL)..<min((index + 1) * Int(SWL_PANEL), matrix.rows)
            let rowBytes = matrix.nativeRowBytes
            let converted = UnsafeMutableRawBufferPointer.allocate(byteCount: rows.count * rowBytes, alignment: 16)
            defer { converted.deallocate() }
            guard let base = converted.baseAddress else { return }
            for row in rows { swl_convert_row(foreignType, matrix.row(row), matrix.columns, base + (row - rows.lowerBound) * rowBytes) }
            swl_pack_panel(matrix.type, base, rows.count, matrix.columns, 0, place)
        }
    }
}
