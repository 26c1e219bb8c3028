import NIOCore

/// Records to bytes (§3.3 "Records"). Longer contents of stream records become several records; every record is padded
/// to a multiple of eight bytes, as the specification recommends. Small records are collected, so that a short request or response
/// is one write; large contents are passed on as they are, not copied.
package struct FastCGIRecordEncoder {
    /// The largest multiple of eight; PHP takes no more than this in one record, padding included.
    package static let longestContent = 65_528
    /// Below this, one copy is cheaper than a second buffer and its slot in `writev`.
    private static let worthSlicing = 2048

    private var whole: [ByteBuffer] = []
    private var collected = ByteBuffer()

    package init() {}

    package mutating func encode(_ record: FastCGIRecord) {
        var record = record
        while record.content.readableBytes > Self.longestContent, let part = record.content.readSlice(length: Self.longestContent) {
            encode(FastCGIRecord(record.kind, requestID: record.requestID, content: part))
        }
        let length = record.content.readableBytes
        let padding = (8 - length % 8) % 8
        if collected.capacity == 0 { collected.reserveCapacity(length < Self.worthSlicing ? 1024 : 64) }
        collected.writeMultipleIntegers(
            FastCGIRecord.version, record.kind.rawValue, record.requestID, UInt16(length), UInt8(padding), 0 as UInt8)
        if length < Self.worthSlicing {
            collected.writeImmutableBuffer(record.content)
        } else {
            whole.append(collected)
            whole.append(record.content)
            collected = ByteBuffer()
        }
        if padding > 0 { collected.writeRepeatingByte(0, count: padding) }
    }

    /// What was encoded since the last time.
    package mutating func take() -> [ByteBuffer] {
        defer { (whole, collected) = ([], ByteBuffer()) }
        if collected.readableBytes > 0 { whole.append(collected) }
        return whole
    }
}
