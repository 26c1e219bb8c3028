import FastCGI
import Foundation
import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Testing

/// Mutated streams of records. What is checked: nothing crashes, nothing is kept beyond the limits, and no more comes out
/// than went in.
@Suite struct FuzzTests {
    /// Streams for each side, a million in all; `SWIFTLET_FUZZ_STREAMS` asks for more.
    private static let streams = ProcessInfo.processInfo.environment["SWIFTLET_FUZZ_STREAMS"].flatMap(Int.init) ?? 500_000

    @Test func aResponderSurvivesMutatedRequests() throws {
        let recorded = try fixture("nginx-post.bin")
        let seeds = [
            Array(recorded.readableBytesView), get("/a", id: 3) + get("/b", keepConnection: false),
            bytes(9, id: 0, pairs(["FCGI_MPXS_CONNS": ""])) + begin(),
        ] + ResponderStateTests.malformed.map(\.wire).filter { $0.count < 2000 }
        var generator = SeededGenerator(state: 1)
        var outcomes = (served: 0, refused: 0)
        var limits = FastCGIResponderState.Limits()
        limits.parameterBytes = 2048
        for _ in 0..<Self.streams {
            let wire = Self.mutate(seeds, with: &generator)
            var state = FastCGIResponderState(limits: limits)
            let processor = NIOSingleStepByteToMessageProcessor(FastCGIRecordDecoder())
            var produced = 0
            do {
                for piece in Self.cut(wire, with: &generator) {
                    try processor.process(buffer: piece) { record in
                        switch try state.receive(record) {
                        case .body(let body): produced += body.readableBytes
                        case .end where generator.next() % 2 == 0:
                            outcomes.served += 1
                            _ = state.respond(.head(.init(status: .ok)))
                            _ = state.respond(.end(nil))
                        default: break
                        }
                    }
                    try #require(processor.unprocessedBytes <= 8 + 65_535 + 255)
                }
            } catch is FastCGIProtocolError {
                outcomes.refused += 1
            }
            try #require(produced <= wire.count)
        }
        // The mutations reach both ends of the protocol.
        #expect(outcomes.served > 1000 && outcomes.refused > 1000)
    }

    @Test func aRequesterSurvivesMutatedResponses() throws {
        let seeds = [
            Array(try fixture("php-response.bin").readableBytesView),
            bytes(6, Array("Status: 204\n\n".utf8)) + bytes(3, [0, 0, 0, 1, 0, 0, 0, 0]),
            bytes(7, Array("oh".utf8)) + bytes(6, Array("Location: /x\r\n".utf8)) + bytes(6, Array("\r\nbody".utf8), padding: 4) + bytes(6),
        ]
        var generator = SeededGenerator(state: 2)
        var outcomes = (heads: 0, ends: 0, refused: 0)
        for _ in 0..<Self.streams {
            let wire = Self.mutate(seeds, with: &generator)
            var state = FastCGIRequesterState()
            _ = state.begin(FastCGIRequest(parameters: [("CONTENT_LENGTH", "0")]))
            var produced = 0
            do {
                try decode(Self.cut(wire, with: &generator)) { record in
                    switch try state.receive(record) {
                    case .nothing: break
                    case .head(_, let rest):
                        outcomes.heads += 1
                        produced += rest.readableBytes
                    case .body(let bytes), .standardError(let bytes): produced += bytes.readableBytes
                    case .end: outcomes.ends += 1
                    }
                }
            } catch is FastCGIProtocolError {
                outcomes.refused += 1
            } catch let error as FastCGIConnectionError {
                try #require(error.code == .malformedResponse)
                outcomes.refused += 1
            }
            try #require(produced <= wire.count)
        }
        #expect(outcomes.heads > 1000 && outcomes.ends > 1000 && outcomes.refused > 1000)
    }

    /// A few changes to one or two of the seeds: bits and bytes changed, parts cut out, doubled or moved.
    private static func mutate(_ seeds: [[UInt8]], with generator: inout SeededGenerator) -> [UInt8] {
        var wire = seeds[Int.random(in: 0..<seeds.count, using: &generator)]
        if generator.next() % 3 == 0 { wire += seeds[Int.random(in: 0..<seeds.count, using: &generator)] }
        for _ in 0..<Int.random(in: 0...4, using: &generator) where !wire.isEmpty {
            let position = Int.random(in: 0..<wire.count, using: &generator)
            let end = min(wire.count, position + Int.random(in: 1...24, using: &generator))
            switch generator.next() % 6 {
            case 0: wire[position] ^= 1 << UInt8(generator.next() % 8)
            case 1: wire[position] = UInt8(truncatingIfNeeded: generator.next())
            case 2: wire[position] = [0, 1, 5, 127, 128, 255][Int(generator.next() % 6)]
            case 3: wire.removeSubrange(position..<end)
            case 4: wire.insert(contentsOf: wire[position..<end], at: end)
            default: wire.removeSubrange(position...)
            }
        }
        return wire
    }

    private static func cut(_ wire: [UInt8], with generator: inout SeededGenerator) -> [ByteBuffer] {
        ByteBuffer(bytes: wire).split(at: Int.random(in: 0...wire.count, using: &generator))
    }
}
