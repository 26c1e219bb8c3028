import NIOCore

/// A body in the pieces in which it arrives. Can be iterated once, by one task.
///
/// Nothing more is read from the connection while the consumer is more than a few pieces behind.
package struct FastCGIBody: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer
    package typealias Producer = NIOThrowingAsyncSequenceProducer<
        ByteBuffer, any Error, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, Delegate
    >
    package typealias Source = Producer.Source

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
    /// - Parameter produceMore: called, on any thread, when the consumer has caught up.
    package static func make(_ produceMore: @escaping @Sendable () -> Void) -> (sequence: FastCGIBody, source: Source) {
        let new = Producer.makeSequence(
            elementType: ByteBuffer.self, failureType: (any Error).self,
            backPressureStrategy: .init(lowWatermark: 2, highWatermark: 8), finishOnDeinit: false, delegate: Delegate(demand: produceMore))
        return (FastCGIBody(producer: new.sequence), new.source)
    }

    /// Carries the consumer's demand to the connection.
    package struct Delegate: NIOAsyncSequenceProducerDelegate {
        fileprivate let demand: @Sendable () -> Void

        package func produceMore() { demand() }

        /// Who made the sequence learns of its consumer's end by other ways.
        package func didTerminate() {}
    }
}
