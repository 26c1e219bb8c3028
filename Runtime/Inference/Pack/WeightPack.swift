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
    private let memory: UnsafeRawBufferPointer
    private let offsets: [String: Int]
    private let mapping: MappedFile?
    private static let hugePage = 1 << 21

    package var byteCount: Int { memory.count }

    package static func path(for model: String) -> String { model + ".pack" }

    /// The pack of this model: the file's if it fits, else a new one. `nil` where no matrix has a packed layout.
    /// - Throws: ``InferenceError`` if there is no memory for it.
    init?(_ file: GGUFFile, _ packing: Engine.Configuration.Packing, team: ThreadTeam) throws {
        let matrices = WeightPack.packable(file)
        guard packing != .none, !matrices.isEmpty else { return nil }
        var reason = "packs in memory were asked for"
        if packing == .file {
            do {
                let (mapping, header) = try WeightPack.open(file, matrices, team: team)
                (storage, memory, self.mapping) = (.file(mapping.path), mapping.bytes, mapping)
                offsets = header.offsets
                return
            } catch {
                reason = error.message
            }
        }
        let writer = PackWriter(file, matrices)
        let size = (writer.header.fileBytes + WeightPack.hugePage - 1) / WeightPack.hugePage * WeightPack.hugePage
        guard let start = aligned_alloc(WeightPack.hugePage, size) else {
            throw InferenceError(.system, "There is not enough memory for the weights of \(file.path).")
        }
        madvise(start, size, Int32(MADV_HUGEPAGE))
        let buffer = UnsafeMutableRawBufferPointer(start: start, count: writer.header.fileBytes)
        writer.fill(buffer, team: team)
        (storage, memory, mapping) = (.memory(reason: reason), UnsafeRawBufferPointer(buffer), nil)
        offsets = writer.header.offsets
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

    /// The file that lies beside the model, made anew where it is not whole or was made of something else.
    private static func open(
        _ file: GGUFFile, _ matrices: [Matrix], team: ThreadTeam
    ) throws(InferenceError) -> (MappedFile, PackHeader) {
        if let existing = existing(for: file, matrices) { return existing }
        try PackWriter(file, matrices).write(to: path(for: file.path), team: team)
        guard let made = existing(for: file, matrices) else {
            throw InferenceError(.system, "\(path(for: file.path)) was written, but can't be read.")
        }
        return made
    }

    private static func existing(for file: GGUFFile, _ matrices: [Matrix]) -> (MappedFile, PackHeader)? {
        guard let mapping = try? MappedFile(path: path(for: file.path)), let header = PackHeader(mapping.bytes),
            header.fits(matrices), header.source.byteCount == file.size
        else { return nil }
        // A copy or a touch changes the time and not the contents, which then decide.
        guard header.source.modified == file.modified || header.digest == file.digest() else { return nil }
        return (mapping, header)
    }

    /// The matrices that are multiplied and whose type has a packed layout; the others are only looked up in.
    private static func packable(_ file: GGUFFile) -> [Matrix] {
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

    /// Whether these matrices, and no others, lie where this says, page by page and inside of the file.
    fileprivate func fits(_ matrices: [Matrix]) -> Bool {
        let expected = PackHeader(source: source, digest: digest, matrices: matrices)
        return entries == expected.entries && fileBytes == expected.fileBytes && headerBytes == expected.headerBytes
    }
}
