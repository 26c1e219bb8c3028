import SwiftletSystem

/// Something that is made of tables, so that a pack can hold it ready for use: a start then neither parses nor computes it.
protocol Tabular {
    /// What `stored` holds, used in place; `nil` where tables are missing or do not fit one another. What is in them must not
    /// be able to do more harm than wrong answers: a pack's tables are as little checked as its weights are.
    init?(_ stored: StoredTables)
    func store(in tables: inout TableList)
}

/// The tables of one thing, by their names.
struct StoredTables {
    fileprivate let file: PackedTables
    fileprivate let prefix: String

    func table<Element>(_ name: String) -> Table<Element>? { file.bytes("\(prefix).\(name)").flatMap { Table($0, of: file.mapping) } }
    func part<Part: Tabular>(_ name: String) -> Part? { Part(StoredTables(file: file, prefix: "\(prefix).\(name)")) }
}

/// Tables to be written to a pack.
struct TableList {
    struct Item {
        let name: String
        /// Kept by `owner`.
        let bytes: UnsafeRawBufferPointer
        fileprivate let owner: Any
    }

    private(set) var items: [Item] = []
    fileprivate var prefix = ""

    mutating func add<Element>(_ name: String, _ table: Table<Element>) {
        items.append(Item(name: "\(prefix).\(name)", bytes: table.bytes, owner: table))
    }

    mutating func add(_ name: String, part: some Tabular) {
        let outer = prefix
        prefix += ".\(name)"
        part.store(in: &self)
        prefix = outer
    }
}

/// Tables that lie in a mapped pack.
struct PackedTables {
    let mapping: MappedFile
    /// Where in the file each is.
    let places: [String: Range<Int>]

    fileprivate func bytes(_ name: String) -> UnsafeRawBufferPointer? {
        places[name].map { UnsafeRawBufferPointer(rebasing: mapping.bytes[$0]) }
    }
}

/// What is made of a model file once: it comes from the file's pack, or is made and then kept for one.
final class ReadyTables: @unchecked Sendable {  // written to by one task at the start, before others see what was made
    private let packed: PackedTables?
    /// What was made.
    private(set) var made = TableList()

    init(_ packed: PackedTables? = nil) { self.packed = packed }

    func value<Value: Tabular>(_ name: String, make: () throws -> Value) rethrows -> Value {
        if let packed, let value = Value(StoredTables(file: packed, prefix: name)) { return value }
        let value = try make()
        made.prefix = name
        value.store(in: &made)
        return value
    }
}
