import SwiftletSystem

/// A model's file, and what is ready of it in the pack beside it: with a pack that fits, opening reads the pack's header alone.
struct ModelFile {
    let file: GGUFFile
    /// What the tokenizer is made of.
    let tables: ReadyTables
    /// The pack, if there is one that fits.
    let pack: PackFile?

    /// - Throws: ``InferenceError`` that names the file and what is wrong with it.
    init(path: String, _ packing: Engine.Configuration.Packing) throws {
        let mapping = try InferenceError.wrapping { () throws(FileError) in try MappedFile(path: path) }
        if packing == .file, let pack = PackFile(of: mapping), let file = try? GGUFFile(mapping, head: pack.mapping, at: PackHeader.headOffset),
            pack.header.fits(WeightPack.packable(file))
        {
            (self.file, self.pack, tables) = (file, pack, ReadyTables(pack.tables))
        } else {
            (file, pack, tables) = (try GGUFFile(mapping), nil, ReadyTables())
        }
    }
}
