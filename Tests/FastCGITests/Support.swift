import FastCGI
import Foundation
import NIOCore
import Testing

func fixture(_ name: String) throws -> ByteBuffer {
    let url = Bundle.module.url(forResource: "Fixtures", withExtension: nil)?.appendingPathComponent(name)
    return ByteBuffer(bytes: try Data(contentsOf: try #require(url)))
}

/// Records by the letter of §3.3, apart from the encoder under test.
func bytes(_ kind: UInt8, id: UInt16 = 1, _ content: [UInt8] = [], padding: UInt8 = 0, version: UInt8 = 1) -> [UInt8] {
    [version, kind, UInt8(id >> 8), UInt8(id & 255), UInt8(content.count >> 8), UInt8(content.count & 255), padding, 0]
        + content + [UInt8](repeating: 0xEE, count: Int(padding))
}

func begin(id: UInt16 = 1, role: UInt8 = 1, keepConnection: Bool = true) -> [UInt8] {
    bytes(1, id: id, [0, role, keepConnection ? 1 : 0, 0, 0, 0, 0, 0])
}

/// Name-value pairs with lengths of one byte (§3.4).
func pairs(_ pairs: KeyValuePairs<String, String>) -> [UInt8] {
    pairs.flatMap { [UInt8($0.utf8.count), UInt8($1.utf8.count)] + Array($0.utf8) + Array($1.utf8) }
}

func parameters(id: UInt16 = 1, method: String = "GET", uri: String = "/", _ more: KeyValuePairs<String, String> = [:]) -> [UInt8] {
    bytes(4, id: id, pairs(["REQUEST_METHOD": method, "REQUEST_URI": uri]) + pairs(more)) + bytes(4, id: id)
}

/// A whole request.
func get(_ uri: String, id: UInt16 = 1, keepConnection: Bool = true) -> [UInt8] {
    begin(id: id, keepConnection: keepConnection) + parameters(id: id, uri: uri) + bytes(5, id: id)
}

/// What a receiver makes of bytes that arrive in these pieces.
func decode(_ pieces: [ByteBuffer], _ receive: (FastCGIRecord) throws -> Void) throws {
    let processor = NIOSingleStepByteToMessageProcessor(FastCGIRecordDecoder())
    for piece in pieces { try processor.process(buffer: piece, receive) }
}

extension ByteBuffer {
    /// In two pieces.
    func split(at position: Int) -> [ByteBuffer] {
        [position, readableBytes - position].reduce(into: (pieces: [ByteBuffer](), rest: self)) { state, length in
            if let piece = state.rest.readSlice(length: length) { state.pieces.append(piece) }
        }.pieces
    }

    var singleBytes: [ByteBuffer] { readableBytesView.map { ByteBuffer(integer: $0) } }
    var text: String { String(buffer: self) }
}

/// The same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {  // SplitMix64, https://prng.di.unimi.it/splitmix64.c
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
