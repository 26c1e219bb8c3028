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
        typealias Producer = NIOThrowingAsyncSequenceProducer<
            ByteBuffer, any Error, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, Delegate
        >
        typealias Source = Producer.Source

        private let producer: Producer

        package struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate let iterator: Producer.AsyncIterator

            package mutating func next() async throws -> ByteBuffer? {
                try await iterator.next()
            }
        }

        package func makeAsyncIterator() -> AsyncIterator {
            AsyncIterator(iterator: producer.makeAsyncIterator())
        }

        /// A piece is at most a record's 65,535 bytes, so that at most half a megabyte waits.
        static func make(handler: NIOLoopBound<FastCGIClientHandler>) -> (sequence: Body, source: Source) {
            let new = Producer.makeSequence(
                elementType: ByteBuffer.self, failureType: (any Error).self,
                backPressureStrategy: .init(lowWatermark: 2, highWatermark: 8), finishOnDeinit: false,
                delegate: Delegate(handler: handler))
            return (Body(producer: new.sequence), new.source)
        }
    }

    /// Carries the consumer's demand to the connection.
    struct Delegate: NIOAsyncSequenceProducerDelegate {
        let handler: NIOLoopBound<FastCGIClientHandler>

        func produceMore() {
            handler.eventLoop.execute { handler.value.setPaused(false) }
        }

        /// The consumer has left; `execute` closes the connection unless the response was complete.
        func didTerminate() {}
    }
}
