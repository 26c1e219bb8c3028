import Wire

/// The members of a request's JSON object, read one by one; `null` counts as missing. Every error is a 400 that names the field.
struct RequestFields: Sendable {
    private let members: [String: JSON]

    init(parsing bytes: some Sequence<UInt8>) throws {
        guard case .object(let members) = try JSON(parsing: bytes) else {
            throw APIError.invalidRequest("The request body must be a JSON object.")
        }
        self.members = members
    }

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
        guard let integer = Int(exactly: number), range.contains(integer) else { throw APIError.outOfRange(name, value, range) }
        return integer
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.number else { throw APIError.wrongType(name, "a number") }
        guard range.contains(number) else { throw APIError.outOfRange(name, value, range) }
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

    fileprivate static func outOfRange<Bound>(_ name: String, _ value: JSON, _ range: ClosedRange<Bound>) -> APIError {
        let shown = value.integer.map { "\($0)" } ?? value.number.map { "\($0)" } ?? "it"
        return .wrongValue(name, "\(shown) is not within \(range.lowerBound) and \(range.upperBound).")
    }
}
