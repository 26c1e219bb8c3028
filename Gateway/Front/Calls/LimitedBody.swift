import NIOCore
import Wire

/// A request body that fails with 413 once it is longer than `limit`.
package struct LimitedBody<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable where Base.Element == ByteBuffer {
    private let base: Base
    private let limit: Int

    package init(base: Base, limit: Int) {
        self.base = base
        self.limit = limit
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var base: Base.AsyncIterator
        fileprivate let limit: Int
        private var count = 0

        fileprivate init(base: Base.AsyncIterator, limit: Int) {
            self.base = base
            self.limit = limit
        }

        package mutating func next() async throws -> ByteBuffer? {
            guard let piece = try await base.next() else { return nil }
            count += piece.readableBytes
            guard count <= limit else { throw APIError.tooLarge(limit: limit) }
            return piece
        }
    }

    /// All of it.
    package func collect() async throws -> ByteBuffer {
        var whole = ByteBuffer()
        for try await piece in self { whole.writeImmutableBuffer(piece) }
        return whole
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: base.makeAsyncIterator(), limit: limit) }
}
