import NIOCore

/// One record of the FastCGI 1.0 specification, §3.3 "Records", without its padding, which exists only on the wire.
package struct FastCGIRecord: Hashable, Sendable {
    /// The record types of §8 "Types and Constants". Others than 1…11 are representable, because §4.2 asks for an answer.
    package struct Kind: RawRepresentable, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let beginRequest = Kind(rawValue: 1)
        package static let abortRequest = Kind(rawValue: 2)
        package static let endRequest = Kind(rawValue: 3)
        package static let parameters = Kind(rawValue: 4)
        package static let standardInput = Kind(rawValue: 5)
        package static let standardOutput = Kind(rawValue: 6)
        package static let standardError = Kind(rawValue: 7)
        package static let data = Kind(rawValue: 8)
        package static let getValues = Kind(rawValue: 9)
        package static let getValuesResult = Kind(rawValue: 10)
        package static let unknownType = Kind(rawValue: 11)
    }

    package var kind: Kind
    /// 0 (FCGI_NULL_REQUEST_ID) for management records, the request's number otherwise.
    package var requestID: UInt16
    /// At most 65,535 bytes when received. In a stream record to be sent it may be longer: the encoder splits it.
    package var content: ByteBuffer

    package init(_ kind: Kind, requestID: UInt16, content: ByteBuffer = ByteBuffer()) {
        self.kind = kind
        self.requestID = requestID
        self.content = content
    }

    /// FCGI_VERSION_1, the only one there is.
    static let version: UInt8 = 1
    /// FCGI_HEADER_LEN.
    static let headerLength = 8
}

// MARK: Bodies of fixed form

/// §5.1 "FCGI_BEGIN_REQUEST": the role that is asked for and whether the connection outlives the request.
struct FastCGIBeginRequest: Equatable {
    static let responder: UInt16 = 1

    var role: UInt16 = responder
    /// FCGI_KEEP_CONN.
    var keepsConnection: Bool

    init(keepsConnection: Bool) {
        self.keepsConnection = keepsConnection
    }

    init(_ content: ByteBuffer) throws(FastCGIProtocolError) {
        guard content.readableBytes == 8, let role: UInt16 = content.getInteger(at: content.readerIndex),
            let flags: UInt8 = content.getInteger(at: content.readerIndex + 2)
        else { throw FastCGIProtocolError("FCGI_BEGIN_REQUEST has \(content.readableBytes) bytes instead of 8") }
        self.role = role
        self.keepsConnection = flags & 1 != 0
    }

    func record(requestID: UInt16) -> FastCGIRecord {
        var content = ByteBuffer()
        content.writeInteger(role)
        content.writeInteger(keepsConnection ? 1 : 0, as: UInt8.self)
        content.writeRepeatingByte(0, count: 5)
        return FastCGIRecord(.beginRequest, requestID: requestID, content: content)
    }
}

/// §5.5 "FCGI_END_REQUEST": how the application ended a request.
package struct FastCGIEndRequest: Equatable, Sendable {
    /// Values of the record's `protocolStatus`.
    package struct Status: RawRepresentable, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let complete = Status(rawValue: 0)
        package static let cannotMultiplex = Status(rawValue: 1)
        package static let overloaded = Status(rawValue: 2)
        package static let unknownRole = Status(rawValue: 3)
    }

    /// For a responder: what a CGI program would have passed to `exit`; 0 is success.
    package var applicationStatus: UInt32
    package var status: Status

    package init(_ status: Status = .complete, applicationStatus: UInt32 = 0) {
        self.applicationStatus = applicationStatus
        self.status = status
    }

    package init(_ content: ByteBuffer) throws(FastCGIProtocolError) {
        guard content.readableBytes == 8, let applicationStatus: UInt32 = content.getInteger(at: content.readerIndex),
            let status: UInt8 = content.getInteger(at: content.readerIndex + 4)
        else { throw FastCGIProtocolError("FCGI_END_REQUEST has \(content.readableBytes) bytes instead of 8") }
        self.init(Status(rawValue: status), applicationStatus: applicationStatus)
    }

    package func record(requestID: UInt16) -> FastCGIRecord {
        var content = ByteBuffer()
        content.writeInteger(applicationStatus)
        content.writeInteger(status.rawValue)
        content.writeRepeatingByte(0, count: 3)
        return FastCGIRecord(.endRequest, requestID: requestID, content: content)
    }
}

/// The peer broke the protocol: the connection is closed, because nothing after this point can be trusted to be in sync.
package struct FastCGIProtocolError: Error, Hashable, CustomStringConvertible {
    /// What was wrong, for the log.
    package let message: String

    package init(_ message: String) {
        self.message = message
    }

    package var description: String { message }
}
