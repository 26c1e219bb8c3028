import NIOCore

/// Bytes to records (§3.3 "Records"), however the bytes are cut. Contents are slices of what was read, not copies.
///
/// Holds at most one incomplete record, 8 + 65,535 + 255 bytes.
package struct FastCGIRecordDecoder: NIOSingleStepByteToMessageDecoder {
    package typealias InboundOut = FastCGIRecord

    package init() {}

    /// - Throws: ``FastCGIProtocolError`` when the bytes are not FastCGI 1.0; known from the first byte of a record on.
    package mutating func decode(buffer: inout ByteBuffer) throws -> FastCGIRecord? {
        let start = buffer.readerIndex
        guard let version: UInt8 = buffer.getInteger(at: start) else { return nil }
        guard version == FastCGIRecord.version else {
            throw FastCGIProtocolError("a record begins with \(version) instead of 1: this is not FastCGI 1.0")
        }
        guard let kind: UInt8 = buffer.getInteger(at: start + 1), let requestID: UInt16 = buffer.getInteger(at: start + 2),
            let contentLength: UInt16 = buffer.getInteger(at: start + 4), let paddingLength: UInt8 = buffer.getInteger(at: start + 6)
        else { return nil }

        let length = FastCGIRecord.headerLength + Int(contentLength) + Int(paddingLength)
        guard buffer.readableBytes >= length,
            let content = buffer.getSlice(at: start + FastCGIRecord.headerLength, length: Int(contentLength))
        else { return nil }
        buffer.moveReaderIndex(forwardBy: length)
        return FastCGIRecord(FastCGIRecord.Kind(rawValue: kind), requestID: requestID, content: content)
    }

    /// What is left at the end of input is a record that was cut off; who reads records knows whether that matters.
    package mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> FastCGIRecord? {
        try decode(buffer: &buffer)
    }
}
