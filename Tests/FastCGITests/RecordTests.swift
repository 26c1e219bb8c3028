import FastCGI
import NIOCore
import Testing

@Suite struct RecordTests {
    @Test(arguments: [0, 1, 7, 8, 9, 2047, 2048, 65_527, 65_528, 65_529, 65_535, 65_536, 1_000_003])
    func encodedContentsAreSplitAndPadded(length: Int) throws {
        let content = ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        var encoder = FastCGIRecordEncoder()
        encoder.encode(FastCGIRecord(.standardOutput, requestID: 0x0102, content: content))
        var wire = ByteBuffer()
        for part in encoder.take() { wire.writeImmutableBuffer(part) }
        #expect(encoder.take().isEmpty)

        var found = ByteBuffer()
        repeat {
            guard let header = wire.readBytes(length: 8) else { break }
            #expect(header[0...3] == [1, 6, 1, 2] && header[7] == 0)
            let length = Int(header[4]) << 8 | Int(header[5])
            #expect((length + Int(header[6])) % 8 == 0)
            let part = wire.readSlice(length: length)
            let padding = wire.readBytes(length: Int(header[6]))
            #expect(padding == [UInt8](repeating: 0, count: Int(header[6])))
            found.writeImmutableBuffer(part ?? ByteBuffer())
        } while wire.readableBytes > 0
        #expect(found == content)
    }

    @Test func contentsAndPaddingOfAllLengthsAreJoined() throws {
        var wire = ByteBuffer()
        var expected: [FastCGIRecord] = []
        for (length, padding) in [(0, 0), (0, 255), (1, 7), (1, 0), (65_535, 1), (65_535, 255), (3, 5)] {
            let content = [UInt8](repeating: UInt8(length % 251), count: length)
            wire.writeBytes(bytes(5, id: 0xFFFE, content, padding: UInt8(padding)))
            expected.append(FastCGIRecord(.standardInput, requestID: 0xFFFE, content: ByteBuffer(bytes: content)))
        }
        for pieces in [[wire], wire.singleBytes, wire.split(at: 600), wire.split(at: 66_000)] {
            var found: [FastCGIRecord] = []
            try decode(pieces) { found.append($0) }
            #expect(found == expected)
        }
    }

    @Test func garbageIsKnownByItsFirstByte() {
        #expect(throws: FastCGIProtocolError.self) { try decode([ByteBuffer(string: "G")]) { _ in } }
        #expect(throws: FastCGIProtocolError.self) { try decode([ByteBuffer(bytes: bytes(9, id: 0) + [2])]) { _ in } }
    }

    @Test func pairsHaveLengthsOfOneByteOrFour() throws {
        let long = String(repeating: "v", count: 300)
        let wire: [UInt8] = [3, 0, 65, 66, 67] + [0x80, 0, 0, 1, 0x80, 0, 1, 44, 68] + Array(long.utf8) + [0, 1, 122] + [127, 0]
            + [UInt8](repeating: 65, count: 127)
        let found = try FastCGIParameters.decode(ByteBuffer(bytes: wire))
        #expect(found.map(\.name) == ["ABC", "D", "", String(repeating: "A", count: 127)])
        #expect(found.map(\.value) == ["", long, "z", ""])
        #expect(try FastCGIParameters.decode(ByteBuffer()).isEmpty)
        for length in 1..<wire.count where ![5, 314, 317].contains(length) {
            #expect(throws: FastCGIProtocolError.self, "cut after \(length) bytes") {
                try FastCGIParameters.decode(ByteBuffer(bytes: wire.prefix(length)))
            }
        }
    }

    @Test func encodedPairsStayWithinRecords() throws {
        #expect(FastCGIParameters.encode([]).isEmpty)
        #expect(FastCGIParameters.encode([("N", String(repeating: "x", count: 127))]).first?.getBytes(at: 0, length: 3) == [1, 127, 78])
        #expect(FastCGIParameters.encode([("N", String(repeating: "x", count: 128))]).first?.getBytes(at: 0, length: 6) == [1, 128, 0, 0, 128, 78])

        let many = (0..<5000).map { (name: "NAME_\($0)", value: String(repeating: "v", count: $0 % 200)) }
        let contents = FastCGIParameters.encode(many)
        #expect(contents.count > 5)
        // PHP reads each record on its own, so each must be whole.
        let found = try contents.flatMap { content in
            #expect(content.readableBytes <= 65_528)
            return try FastCGIParameters.decode(content)
        }
        #expect(found.map(\.name) == many.map(\.name) && found.map(\.value) == many.map(\.value))

        let huge = [(name: "A", value: "1"), (name: "B", value: String(repeating: "v", count: 70_000)), (name: "C", value: "3")]
        #expect(try FastCGIParameters.encode(huge).flatMap(FastCGIParameters.decode).map(\.value.utf8.count) == [1, 70_000, 1])
    }
}
