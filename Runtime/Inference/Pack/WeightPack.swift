import Kernels
import SwiftletSystem

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A model's matrices in the kernels' own layout.
///
/// It is a file beside the model, made once and mapped by every process that runs the model, so that all share one copy and a
/// start repacks nothing. Where the file can't be written, the same bytes are made in this process's memory.
package final class WeightPack: @unchecked Sendable {  // `memory` is filled before `init` returns, and then only read
    /// Where the bytes are, for a log.
    package enum Storage: Hashable, Sendable {
        /// Mapped from this file.
        case file(String)
        /// In memory of this process alone, and why.
        case memory(reason: String)
    }

    package let storage: Storage
    /// Of all matrices.
    package let byteCount: Int
    private let memory: UnsafeRawBufferPointer
    private let offsets: [String: Int]
    private let mapping: MappedFile?
    private static let hugePage = 1 << 21

    package static func path(for model: String) -> String { PackFile.path(for: model) }

    /// The pack of this model: the file's if there is one, else a new one, which also keeps the model's tables. `nil` where no
    /// matrix has a packed layout.
    /// - Throws: ``InferenceError`` if there is no memory for it.
    init?(_ model: ModelFile, _ packing: Engine.Configuration.Packing, team: ThreadTeam) throws {
        let matrices = WeightPack.packable(model.file)
        guard packing != .none, !matrices.isEmpty else { return nil }
        var reason = "packs in memory were asked for"
        if packing == .file {
            do {
                let pack = try model.pack ?? WeightPack.make(model, matrices, team: team)
                (storage, memory, mapping) = (.file(pack.mapping.path), pack.mapping.bytes, pack.mapping)
                (offsets, byteCount) = (pack.header.offsets, pack.header.matrixBytes)
                return
            } catch let error as InferenceError {
                reason = error.message
            }
        }
        let writer = try PackWriter(model.file, model.tables, matrices)
        let size = PackHeader.roundUp(writer.header.fileBytes, to: WeightPack.hugePage)
        guard let start = aligned_alloc(WeightPack.hugePage, size) else {
            throw InferenceError(.system, "There is not enough memory for the weights of \(model.file.path).")
        }
        madvise(start, size, Int32(MADV_HUGEPAGE))
        let buffer = UnsafeMutableRawBufferPointer(start: start, count: writer.header.fileBytes)
        writer.fill(buffer, team: team)
        (storage, memory, mapping) = (.memory(reason: reason), UnsafeRawBufferPointer(buffer), nil)
        (offsets, byteCount) = (writer.header.offsets, writer.header.matrixBytes)
    }

    deinit {
        if mapping == nil { free(UnsafeMutableRawPointer(mutating: memory.baseAddress)) }
    }

    /// The matrix's panels; `nil` where it is not packed.
    func panels(of name: String) -> UnsafeRawPointer? {
        offsets[name].flatMap { offset in memory.baseAddress.map { $0 + offset } }
    }

    /// Gives the pages to this process ahead of their first use. Blocks; needed by nobody.
    func prefault() { mapping?.prefault() }

    private static func make(_ model: ModelFile, _ matrices: [Matrix], team: ThreadTeam) throws -> PackFile {
        try model.writePack(matrices, team: team)
        guard let made = PackFile(of: model.file.mapping), made.header.fits(matrices) else {
            throw InferenceError(.system, "\(path(for: model.file.path)) was written, but can't be read.")
        }
        return made
    }

    /// The matrices that are multiplied and whose type has a packed layout; the others are only looked up in.
    static func packable(_ file: GGUFFile) -> [Matrix] {
        var tables: Set = ["position_embd.weight", "token_types.weight"]
        if file.tensorIfPresent("output.weight") != nil || file.metadata.string("general.architecture").flatMap(EncoderArchitecture.named) != nil {
            tables.insert("token_embd.weight")
        }
        return file.tensors.filter { $0.shape.count >= 2 && !tables.contains($0.name) }.compactMap { Matrix($0) }
            .filter { swl_can_pack($0.type, $0.columns) }
    }
}

extension PackHeader {
    fileprivate var offsets: [String: Int] { Dictionary(entries.map { ($0.name, $0.offset) }) { first, _ in first } }
    fileprivate var matrixBytes: Int { entries.reduce(0) { $0 + $1.byteCount } }
}
