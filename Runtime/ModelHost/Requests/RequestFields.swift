import Wire

/// The members of a request's JSON object, read one by one; `null` counts as missing. Every error is a 400 that names the field.
struct RequestFields: Sendable {
    private let members: [String: JSON]
    private let bytes: [UInt8]

    init(parsing bytes: some Sequence<UInt8>) throws {
        self.bytes = Array(bytes)
        guard case .object(let members) = try JSON(parsing: bytes) else {
            throw APIError.invalidRequest("The request body must be a JSON object.")
        }
        self.members = members
    }

    /// The same object with the order of its members, which shows in a prompt.
    func ordered() throws -> OrderedJSON { try OrderedJSON(parsing: bytes) }

    subscript(name: String) -> JSON? {
        guard let value = members[name], value != .null else { return nil }
        return value
    }

    func string(_ name: String) throws -> String? {
        guard let value = self[name] else { return nil }
        guard case .string(let text) = value else { throw APIError.wrongType(name, "a string") }
        return text
    }

    func flag(_ name: String) throws -> Bool? {
        guard let value = self[name] else { return nil }
        guard case .bool(let flag) = value else { throw APIError.wrongType(name, "true or false") }
        return flag
    }

    func integer(_ name: String, in range: ClosedRange<Int> = .min ... .max) throws -> Int? {
        guard let value = self[name] else { return nil }
        guard let number = value.integer ?? value.number.flatMap(Int64.init(exactly:)) else { throw APIError.wrongType(name, "an integer") }
        guard let integer = Int(exactly: number), range.contains(integer) else { throw APIError.outOfRange(name, range) }
        return integer
    }

    /// - Parameter range: between whole numbers.
    func number(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.number else { throw APIError.wrongType(name, "a number") }
        guard range.contains(number) else { throw APIError.outOfRange(name, range) }
        return number
    }
}

extension APIError {
    static func missing(_ name: String) -> APIError {
        .invalidRequest("Missing required parameter: '\(name)'.", parameter: name, code: "missing_required_parameter")
    }

    static func wrongType(_ name: String, _ expected: String) -> APIError {
        .invalidRequest("Invalid type for '\(name)': expected \(expected).", parameter: name, code: "invalid_type")
    }

    static func wrongValue(_ name: String, _ reason: String) -> APIError {
        .invalidRequest("Invalid value for '\(name)': \(reason)", parameter: name, code: "invalid_value")
    }

    fileprivate static func outOfRange(_ name: String, _ range: ClosedRange<Int>) -> APIError {
        let bounds = range.upperBound == .max ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
        return .wrongValue(name, "it must be \(bounds).")
    }

    fileprivate static func outOfRange(_ name: String, _ range: ClosedRange<Double>) -> APIError {
        .wrongValue(name, "it must be from \(Int(range.lowerBound)) to \(Int(range.upperBound)).")
    }
}
