import HTTPTypes
import NIOCore

/// A worker's response while it arrives.
package struct FastCGIResponse: Sendable {
    package let status: HTTPResponse.Status
    /// The fields of the CGI head, without `Status`.
    package let headers: HTTPFields
    package let body: Body

    /// What the worker writes, in the pieces in which it arrives. Can be iterated once, by one task.
    ///
    /// Nothing more is read from the worker while the consumer is more than a few pieces behind. The end is the end of the
    /// request; a response that was cut short, or that the worker called failed, throws ``FastCGIConnectionError``.
    package struct Body: AsyncSequence, Sendable {
        package typealias Element = ByteBuffer

        let exchange: FastCGIExchange

        package struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate let exchange: FastCGIExchange

            package mutating func next() async throws -> ByteBuffer? { try await exchange.next() }
        }

        package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(exchange: exchange) }
    }
}
