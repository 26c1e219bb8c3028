import SwiftletSystem

/// A model's file, and what is ready of it in the pack beside it: with a pack that fits, opening reads the pack's header alone.
package struct ModelFile: Sendable {
    package let file: GGUFFile
    /// What the tokenizer is made of.
    let tables: ReadyTables
    /// The pack, if there is one that fits.
    let pack: PackFile?

    /// - Throws: ``InferenceError`` that names the file and what is wrong with it.
    package init(path: String, _ packing: Engine.Configuration.Packing = .file) throws {
        let mapping = try InferenceError.wrapping { () throws(FileError) in try MappedFile(path: path) }
        if packing == .file, let pack = PackFile(of: mapping),
            let file = try? GGUFFile(mapping, head: pack.mapping, at: PackHeader.headOffset), pack.header.fits(WeightPack.packable(file))
        {
            (self.file, self.pack, tables) = (file, pack, ReadyTables(pack.tables))
        } else {
            (file, pack, tables) = (try GGUFFile(mapping), nil, ReadyTables())
        }
    }

    /// - Throws: ``InferenceError`` naming the metadata key that is missing, wrong, or asks for something unsupported.
    package func makeTokenizer() throws -> any Tokenizer { try Inference.makeTokenizer(from: file.metadata, tables) }

    /// Writes the pack anew, with what has been made of the file by now.
    /// - Throws: ``InferenceError``; what was there before then still is.
    package func writePack() throws { try writePack(WeightPack.packable(file), team: ThreadTeam(threads: 1)) }

    func writePack(_ matrices: [Matrix], team: ThreadTeam) throws {
        try PackWriter(file, tables, matrices).write(to: PackFile.path(for: file.path), team: team)
    }
}
