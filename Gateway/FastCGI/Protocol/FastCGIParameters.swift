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
        content.reserveCapacity(2048)
        for pair in pairs {
            let length = 8 + pair.name.utf8.count + pair.value.utf8.count
            if content.readableBytes > 0, content.readableBytes + length > FastCGIRecordEncoder.longestContent {
                contents.append(content)
                content = ByteBuffer()
            }
            content.write(pair)
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

    /// In one go: a request has dozens of pairs.
    @discardableResult
    mutating func write(_ pair: FastCGIParameters.Pair) -> Int {
        var (name, value) = pair
        let length = 8 + name.utf8.count + value.utf8.count
        return name.withUTF8 { name in
            value.withUTF8 { value in
                writeWithUnsafeMutableBytes(minimumWritableBytes: length) { bytes in
                    var end = Self.put(length: name.count, in: bytes, at: 0)
                    end = Self.put(length: value.count, in: bytes, at: end)
                    end = Self.put(name, in: bytes, at: end)
                    return Self.put(value, in: bytes, at: end)
                }
            }
        }
    }

    private static func put(length: Int, in bytes: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
        if length < 0x80 {
            bytes[start] = UInt8(length)
            return start + 1
        }
        bytes.storeBytes(of: (UInt32(length) | 0x8000_0000).bigEndian, toByteOffset: start, as: UInt32.self)
        return start + 4
    }

    private static func put(_ text: UnsafeBufferPointer<UInt8>, in bytes: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
        UnsafeMutableRawBufferPointer(rebasing: bytes[start...]).copyMemory(from: UnsafeRawBufferPointer(text))
        return start + text.count
    }
}
