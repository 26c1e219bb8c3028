import FoundationEssentials

/// A JSON value whose shape is not known in advance: a request body that is passed on, a schema, metadata.
///
/// Integers stay integers; other numbers are `Double`. Object keys have no order.
public enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])
}

extension JSON: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

extension JSON {
    /// Parses UTF-8 JSON text.
    /// - Throws: ``APIError`` with status 400 that names what is wrong.
    public init(parsing bytes: some Sequence<UInt8>) throws {
        self = try JSON.decode(JSON.self, from: bytes)
    }

    /// Decodes `type` from a request body.
    /// - Throws: ``APIError`` with status 400 whose `param` is the offending field, where there is one.
    public static func decode<T: Decodable>(_ type: T.Type, from bytes: some Sequence<UInt8>) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as APIError {
            throw error
        } catch let DecodingError.keyNotFound(key, context) {
            let name = (context.codingPath + [key]).fieldName
            throw APIError.invalidRequest("Missing required parameter: '\(name)'.", parameter: name)
        } catch let DecodingError.valueNotFound(_, context), let DecodingError.typeMismatch(_, context) {
            let name = context.codingPath.fieldName
            throw APIError.invalidRequest(
                name.isEmpty ? "The request body must be a JSON object." : "Invalid type or missing value for '\(name)'.",
                parameter: name.isEmpty ? nil : name)
        } catch let DecodingError.dataCorrupted(context) where !context.codingPath.isEmpty {
            let name = context.codingPath.fieldName
            throw APIError.invalidRequest("Invalid value for '\(name)': \(context.debugDescription)", parameter: name)
        } catch {
            throw APIError.invalidRequest("The request body is not valid JSON: check quotes, commas and UTF-8 encoding.")
        }
    }

    /// Compact UTF-8 text with sorted keys, so that equal values have equal bytes.
    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
    public init(nilLiteral: ()) { self = .null }
}

extension JSON {
    /// The member `key` of an object; `nil` for every other value and for a missing key.
    public subscript(key: String) -> JSON? {
        get {
            guard case .object(let members) = self else { return nil }
            return members[key]
        }
        set {
            guard case .object(var members) = self else { return }
            members[key] = newValue
            self = .object(members)
        }
    }

    /// The text of a string; `nil` for every other value, as with those that follow.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The elements of an array.
    public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    /// The members of an object.
    public var object: [String: JSON]? { if case .object(let value) = self { value } else { nil } }
    /// `true` or `false`.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// A whole number that fits 64 bits.
    public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    /// Any number.
    public var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}

extension [any CodingKey] {
    /// `messages[0].content`, as OpenAI's errors name a field.
    fileprivate var fieldName: String {
        reduce(into: "") { name, key in
            if let index = key.intValue {
                name += "[\(index)]"
            } else {
                name += name.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }
}
