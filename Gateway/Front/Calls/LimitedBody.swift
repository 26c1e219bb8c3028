import NIOCore
import Wire

/// A request body that fails with 413 once it is longer than `limit`.
struct LimitedBody: AsyncSequence, Sendable {
    let base: ClientBody
    let limit: Int

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var base: ClientBody.AsyncIterator
        fileprivate let limit: Int
        fileprivate var count = 0

        mutating func next() async throws -> ByteBuffer? {
            guard let piece = try await base.next() else { return nil }
            count += piece.readableBytes
            guard count <= limit else { throw APIError.tooLarge(limit: limit) }
            return piece
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: base.makeAsyncIterator(), limit: limit) }

    /// All of it.
    func collect() async throws -> ByteBuffer {
        var whole = ByteBuffer()
        for try await piece in self { whole.writeImmutableBuffer(piece) }
        return whole
    }
}
