import NIOCore

/// Name-value pairs, §3.4: both lengths, each in one byte or in four, then both texts.
///
/// Bytes that are not UTF-8 become U+FFFD; nginx and browsers send percent-encoded or ASCII text.
package enum FastCGIParameters {
    package typealias Pair = (name: String, value: String)

    /// - Parameter content: a whole stream of pairs, from all its records.
    /// - Throws: ``FastCGIProtocolError`` when a length reaches beyond the content.
    package static func decode(_ content: ByteBuffer) throws(FastCGIProtocolError) -> [Pair] {
        var content = content
        var pairs: [Pair] = []
        while content.readableBytes > 0 {
            guard let nameLength = content.readPairLength(), let valueLength = content.readPairLength(),
                let name = content.readString(length: nameLength), let value = content.readString(length: valueLength)
            else { throw FastCGIProtocolError("a name-value pair reaches beyond the end of its stream") }
            pairs.append((name, value))
        }
        return pairs
    }

    /// The pairs as contents of records. A pair is split over two records only if it does not fit in one:
    /// the specification allows more, but PHP reads each record on its own.
    package static func encode(_ pairs: [Pair]) -> [ByteBuffer] {
        var contents: [ByteBuffer] = []
        var content = ByteBuffer()
        content.reserveCapacity(1024)
        for pair in pairs {
            let length = 8 + pair.name.utf8.count + pair.value.utf8.count
            if content.readableBytes > 0, content.readableBytes + length > FastCGIRecordEncoder.longestContent {
                contents.append(content)
                content = ByteBuffer()
            }
            content.writePairLength(pair.name.utf8.count)
            content.writePairLength(pair.value.utf8.count)
            content.writeString(pair.name)
            content.writeString(pair.value)
        }
        if content.readableBytes > 0 { contents.append(content) }
        return contents
    }
}

extension ByteBuffer {
    /// One byte below 128, else four with the highest bit set, so at most 2³¹ − 1.
    fileprivate mutating func readPairLength() -> Int? {
        guard let first: UInt8 = getInteger(at: readerIndex) else { return nil }
        if first < 0x80 { return readInteger(as: UInt8.self).map(Int.init) }
        return readInteger(as: UInt32.self).map { Int($0 & 0x7fff_ffff) }
    }

    fileprivate mutating func writePairLength(_ length: Int) {
        if length < 0x80 {
            writeInteger(UInt8(length))
        } else {
            writeInteger(UInt32(length) | 0x8000_0000)
        }
    }
}
