import HTTPTypes
import NIOCore

/// The head of a CGI response (RFC 3875 §6).
package struct CGIResponseHead: Hashable, Sendable {
    /// From `Status:`; without it 302 if there is a `Location:`, else 200 (RFC 3875 §6.2).
    package var status: HTTPResponse.Status
    /// All fields but `Status`, in their order.
    package var headers: HTTPFields

    package init(status: HTTPResponse.Status, headers: HTTPFields) {
        self.status = status
        self.headers = headers
    }
}

/// Reads a CGI response's head from standard output that comes in any pieces. Lines end with LF or CR LF.
package struct CGIResponseHeadParser {
    /// A head that is longer is refused.
    package static let longestHead = 64 * 1024

    private var collected = ByteBuffer()
    /// Offsets in `collected`, so that no byte is looked at twice.
    private var searched = 0
    private var lineStart = 0

    package init() {}

    /// Nothing was received yet.
    var isEmpty: Bool { collected.readableBytes == 0 }

    /// - Returns: the head once it is complete, and what follows it of `bytes`.
    /// - Throws: ``FastCGIConnectionError`` `.malformedResponse`.
    package mutating func receive(_ bytes: ByteBuffer) throws(FastCGIConnectionError) -> (head: CGIResponseHead, rest: ByteBuffer)? {
        if collected.readableBytes == 0 {
            collected = bytes.slice()
        } else {
            collected.writeImmutableBuffer(bytes)
        }
        while searched < collected.readableBytes {
            defer { searched += 1 }
            guard collected.getInteger(at: searched, as: UInt8.self) == UInt8(ascii: "\n") else { continue }
            let lineLength = searched - lineStart
            let isEmpty = lineLength == 0 || (lineLength == 1 && collected.getInteger(at: lineStart) == UInt8(ascii: "\r"))
            lineStart = searched + 1
            guard isEmpty else { continue }
            guard lineStart <= Self.longestHead else { throw Self.tooLong }
            let text = collected.readSlice(length: lineStart) ?? ByteBuffer()
            return (try Self.parse(text), collected.slice())
        }
        guard collected.readableBytes <= Self.longestHead else { throw Self.tooLong }
        return nil
    }

    private static func parse(_ text: ByteBuffer) throws(FastCGIConnectionError) -> CGIResponseHead {
        var status: HTTPResponse.Status?
        var fields = HTTPFields()
        do {
            try text.withUnsafeReadableBytes { bytes in
                var rest = bytes[...]
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    var line = rest[..<end]
                    rest = rest[(end + 1)...]
                    if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
                    if line.isEmpty { break }
                    try add(line, &fields, &status)
                }
            }
        } catch let error as FastCGIConnectionError {
            throw error
        } catch {
            throw malformed("the response's head cannot be read")
        }
        // RFC 3875 §6.2: a response has at least one header field.
        guard status != nil || !fields.isEmpty else { throw malformed("the response's head is empty") }
        return CGIResponseHead(status: status ?? (fields[.location] == nil ? .ok : .found), headers: fields)
    }

    private static func add(_ line: Slice<UnsafeRawBufferPointer>, _ fields: inout HTTPFields, _ status: inout HTTPResponse.Status?) throws {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
            let name = HTTPField.Name(String(decoding: UnsafeRawBufferPointer(rebasing: line[..<colon]), as: UTF8.self)),
            case let value = String(decoding: UnsafeRawBufferPointer(rebasing: line[(colon + 1)...].trimmingBlanks), as: UTF8.self),
            HTTPField.isValidValue(value)
        else {
            throw malformed("a line of the response's head is not a header field", line)
        }
        if name.canonicalName == "status" {
            guard status == nil, let parsed = parseStatus(value) else {
                throw malformed("the response's Status is not one code of three digits", line)
            }
            status = parsed
        } else {
            fields.append(HTTPField(name: name, value: value))
        }
    }

    /// `404 Not Found`; the reason may be missing. A final status only: nothing follows a CGI response.
    private static func parseStatus(_ value: String) -> HTTPResponse.Status? {
        let code = value.utf8.prefix { $0 != UInt8(ascii: " ") }
        guard code.count == 3, let number = HTTPRequest.decimal(String(Substring(code))), 200...599 ~= number else { return nil }
        return HTTPResponse.Status(code: number, reasonPhrase: String(Substring(value.utf8.dropFirst(4))))
    }

    private static let tooLong = malformed("the response's head is longer than \(longestHead) bytes")

    private static func malformed(_ message: String, _ line: Slice<UnsafeRawBufferPointer>? = nil) -> FastCGIConnectionError {
        let quoted = line.map { ": \"\(String(decoding: $0.prefix(80), as: UTF8.self))\"" }
        return FastCGIConnectionError(.malformedResponse, message + (quoted ?? ""))
    }
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate var trimmingBlanks: Self {
        var rest = self
        while let first = rest.first, first == UInt8(ascii: " ") || first == UInt8(ascii: "\t") { rest = rest.dropFirst() }
        while let last = rest.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { rest = rest.dropLast() }
        return rest
    }
}
