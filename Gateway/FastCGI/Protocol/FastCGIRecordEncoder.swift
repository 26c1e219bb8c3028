import NIOCore

/// Records to bytes (§3.3 "Records"). Longer contents of stream records become several records; every record is padded
/// to a multiple of eight bytes, as the specification recommends. Large contents are written as slices, not copied.
package final class FastCGIRecordEncoder: ChannelOutboundHandler, Sendable {
    package typealias OutboundIn = FastCGIRecord
    package typealias OutboundOut = ByteBuffer

    /// The largest multiple of eight; PHP takes no more than this in one record, padding included.
    package static let longestContent = 65_528
    /// Below this, one copy is cheaper than a second buffer and its slot in `writev`.
    private static let worthSlicing = 2048
    private static let padding = ByteBuffer(repeating: 0, count: 8)

    package init() {}

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var record = unwrapOutboundIn(data)
        while record.content.readableBytes > Self.longestContent, let part = record.content.readSlice(length: Self.longestContent) {
            write(FastCGIRecord(record.kind, requestID: record.requestID, content: part), context: context, promise: nil)
        }
        write(record, context: context, promise: promise)
    }

    private func write(_ record: FastCGIRecord, context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        let length = record.content.readableBytes
        let padding = (8 - length % 8) % 8
        let copies = length < Self.worthSlicing
        var bytes = context.channel.allocator.buffer(capacity: FastCGIRecord.headerLength + (copies ? length + padding : 0))
        bytes.writeMultipleIntegers(
            FastCGIRecord.version, record.kind.rawValue, record.requestID, UInt16(length), UInt8(padding), 0 as UInt8)
        if copies {
            bytes.writeImmutableBuffer(record.content)
            bytes.writeRepeatingByte(0, count: padding)
            context.write(wrapOutboundOut(bytes), promise: promise)
        } else {
            context.write(wrapOutboundOut(bytes), promise: nil)
            context.write(wrapOutboundOut(record.content), promise: padding == 0 ? promise : nil)
            if padding > 0, let zeros = Self.padding.getSlice(at: 0, length: padding) {
                context.write(wrapOutboundOut(zeros), promise: promise)
            }
        }
    }
}
