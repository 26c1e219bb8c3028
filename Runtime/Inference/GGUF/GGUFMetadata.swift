import SwiftletSystem

/// The key-value pairs at the head of a GGUF file.
///
/// The plain accessors give `nil` for a missing key and for one of another type; the `required` ones throw, naming the key.
package struct GGUFMetadata: Sendable {
    /// Where the pairs are from, for error messages.
    package let path: String
    private let values: [String: GGUFValue]

    init(path: String, values: [String: GGUFValue]) {
        self.path = path
        self.values = values
    }

    package var keys: [String] { values.keys.sorted() }
    package subscript(key: String) -> GGUFValue? { values[key] }

    package func string(_ key: String) -> String? { values[key]?.string }
    package func integer(_ key: String) -> Int? { values[key]?.integer }
    /// Floats only: an integer is not taken for one.
    package func float(_ key: String) -> Double? { values[key]?.float }
    package func bool(_ key: String) -> Bool? { values[key]?.bool }
    package func strings(_ key: String) -> [String]? { values[key]?.array?.strings }
    package func integers(_ key: String) -> [Int]? { values[key]?.array?.integers }
    package func floats(_ key: String) -> [Double]? { values[key]?.array?.floats }

    package func requiredString(_ key: String) throws -> String { try required(key, "a string", string(key)) }

    package func requiredFloat(_ key: String) throws -> Double { try required(key, "a floating-point number", float(key)) }

    func requiredStringArray(_ key: String) throws -> GGUFArray {
        try required(key, "an array of strings", values[key]?.array.flatMap { $0.kind == .string ? $0 : nil })
    }

    package func requiredStrings(_ key: String) throws -> [String] { try required(key, "an array of strings", strings(key)) }

    /// A whole number that must lie in `range`.
    package func requiredInteger(_ key: String, in range: ClosedRange<Int> = 0...Int.max) throws -> Int {
        let value = try required(key, "a whole number", integer(key))
        guard range.contains(value) else {
            throw InferenceError(.invalidFile, "\(path): \(key) is \(value), but must be in \(range.lowerBound)…\(range.upperBound).")
        }
        return value
    }

    private func required<T>(_ key: String, _ type: String, _ value: T?) throws -> T {
        if let value { return value }
        throw InferenceError(.invalidFile, values[key] == nil ? "\(path) lacks the metadata key \(key)." : "\(path): \(key) is not \(type).")
    }
}

/// One value of GGUF metadata.
package enum GGUFValue: Sendable {
    case signed(Int64)
    case unsigned(UInt64)
    case float(Double)
    case bool(Bool)
    case string(String)
    case array(GGUFArray)

    package var integer: Int? {
        switch self {
        case .signed(let value): Int(exactly: value)
        case .unsigned(let value): Int(exactly: value)
        default: nil
        }
    }
    package var float: Double? { if case .float(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var array: GGUFArray? { if case .array(let value) = self { value } else { nil } }

    /// The types of values, with GGUF's numbers.
    package enum Kind: UInt32, Sendable {
        case uint8 = 0, int8 = 1, uint16 = 2, int16 = 3, uint32 = 4, int32 = 5, float32 = 6, bool = 7
        case string = 8, array = 9, uint64 = 10, int64 = 11, float64 = 12

        /// The bytes that a value takes at least; for numbers, exactly.
        var size: Int {
            switch self {
            case .uint8, .int8, .bool: 1
            case .uint16, .int16: 2
            case .uint32, .int32, .float32: 4
            case .uint64, .int64, .float64, .string: 8
            case .array: 12
            }
        }
    }

    init(_ kind: Kind, _ cursor: inout GGUFCursor, _ key: String) throws {
        // Made only for an error: arrays are read through here as well.
        func what() -> String { "the value of \(key.quotedForMessage)" }
        self =
            switch kind {
            case .uint8: .unsigned(UInt64(try cursor.integer(UInt8.self, what())))
            case .int8: .signed(Int64(try cursor.integer(Int8.self, what())))
            case .uint16: .unsigned(UInt64(try cursor.integer(UInt16.self, what())))
            case .int16: .signed(Int64(try cursor.integer(Int16.self, what())))
            case .uint32: .unsigned(UInt64(try cursor.integer(UInt32.self, what())))
            case .int32: .signed(Int64(try cursor.integer(Int32.self, what())))
            case .uint64: .unsigned(try cursor.integer(UInt64.self, what()))
            case .int64: .signed(try cursor.integer(Int64.self, what()))
            case .float32: .float(Double(Float(bitPattern: try cursor.integer(UInt32.self, what()))))
            case .float64: .float(Double(bitPattern: try cursor.integer(UInt64.self, what())))
            case .bool: .bool(try cursor.integer(UInt8.self, what()) != 0)
            case .string: .string(String(decoding: try cursor.stringBytes(what()), as: UTF8.self))
            case .array: .array(try GGUFArray(&cursor, key))
            }
    }
}

/// An array in GGUF metadata. It stays in the mapped file and is decoded when asked for: vocabularies are large.
package struct GGUFArray: Sendable {
    package let kind: GGUFValue.Kind
    package let count: Int
    private let file: MappedFile
    /// Where in the file the elements begin.
    let start: Int

    init(_ cursor: inout GGUFCursor, _ key: String) throws {
        let what = "the array \(key.quotedForMessage)"
        kind = try GGUFArray.kind(&cursor, what)
        count = try cursor.count(ofAtLeast: kind.size, "the length of \(what)")
        file = cursor.file
        start = cursor.offset
        if kind == .string {
            for _ in 0..<count { _ = try cursor.stringBytes("a string of \(what)") }
        } else {
            _ = try cursor.skip(count * kind.size, what)
        }
    }

    /// An array whose elements are elsewhere: in `file`.
    init(_ cursor: inout GGUFCursor, _ key: String, in file: MappedFile) throws {
        let what = "the array \(key.quotedForMessage)"
        kind = try GGUFArray.kind(&cursor, what)
        count = try cursor.count(ofAtLeast: kind.size, "the length of \(what)", in: file)
        start = try cursor.count(ofAtLeast: 1, "the place of \(what)", in: file)
        guard count * kind.size <= file.bytes.count - start else { throw cursor.failure("\(what) reaches past the file's end") }
        self.file = file
    }

    private static func kind(_ cursor: inout GGUFCursor, _ what: String) throws -> GGUFValue.Kind {
        let number = try cursor.integer(UInt32.self, "the element type of \(what)")
        guard let kind = GGUFValue.Kind(rawValue: number) else { throw cursor.failure("\(what) has the unknown element type \(number)") }
        guard kind != .array else { throw cursor.failure("\(what) is nested") }
        return kind
    }

    /// `nil` where the elements are not strings. Bytes that are not UTF-8 become U+FFFD.
    package var strings: [String]? { elements(\.string) }

    /// Calls `body` with each string's bytes, as they are in the file.
    func forEachString(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var cursor = GGUFCursor(file, at: start)
        for _ in 0..<(kind == .string ? count : 0) { try body(cursor.stringBytes("an array of strings")) }
    }

    /// `nil` where the elements are not whole numbers, or one does not fit `Int`.
    package var integers: [Int]? { elements(\.integer) }

    /// `nil` where the elements are not floating-point numbers.
    package var floats: [Double]? { elements(\.float) }

    /// The elements were checked when the file was opened, so reading them fails only if someone wrote over the file since.
    private func elements<T>(_ convert: (GGUFValue) -> T?) -> [T]? {
        var cursor = GGUFCursor(file, at: start)
        var elements: [T] = []
        elements.reserveCapacity(count)
        for _ in 0..<count {
            guard let value = try? GGUFValue(kind, &cursor, ""), let element = convert(value) else { return nil }
            elements.append(element)
        }
        return elements
    }
}
