import Crypto
import SwiftletSystem

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A pack that lies beside a model's file and was made of it.
struct PackFile: Sendable {
    let mapping: MappedFile
    let header: PackHeader

    static func path(for model: String) -> String { model + ".pack" }

    /// `nil` where there is none, it is damaged, or it was made of something else.
    init?(of model: MappedFile) {
        guard let mapping = try? MappedFile(path: PackFile.path(for: model.path), hugePages: true), var header = PackHeader(mapping.bytes) else { return nil }
        let source = PackHeader.Source(model)
        if header.source != source {
            // A copy or a touch changes more than the contents, which then decide.
            guard header.source.byteCount == source.byteCount, header.digest == model.digest() else { return nil }
            header.source = source
            PackFile.rewrite(header, of: mapping)
        }
        (self.mapping, self.header) = (mapping, header)
    }

    /// The tables of which it holds some.
    var tables: PackedTables {
        PackedTables(
            mapping: mapping,
            places: Dictionary(header.tables.map { ($0.name, $0.offset..<$0.offset + $0.byteCount) }) { first, _ in first })
    }

    /// So that the next start need not read the whole model again. A header that was not written whole is told by its checksum;
    /// where it can't be written at all, nothing is lost.
    private static func rewrite(_ header: PackHeader, of mapping: MappedFile) {
        let descriptor = open(mapping.path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_ino == mapping.inode else { return }
        _ = header.encoded.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }
}

extension MappedFile {
    /// The SHA-256 of the whole file, which is read for it.
    func digest() -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}

extension PackHeader.Source {
    init(_ model: MappedFile) {
        self.init(byteCount: model.bytes.count, modified: model.modified, inode: model.inode)
    }
}
