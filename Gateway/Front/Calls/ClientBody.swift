import NIOCore

/// A body in the pieces in which it arrives. Can be iterated once, by one task.
///
/// Nothing more is read from the connection while the consumer is more than a few pieces behind.
struct ClientBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    typealias Producer = NIOThrowingAsyncSequenceProducer<
        ByteBuffer, any Error, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, Delegate
    >
    typealias Source = Producer.Source

    private let producer: Producer

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let iterator: Producer.AsyncIterator

        mutating func next() async throws -> ByteBuffer? {
            try await iterator.next()
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(iterator: producer.makeAsyncIterator())
    }

    /// - Parameter produceMore: called, on any thread, when the consumer has caught up.
    static func make(_ produceMore: @escaping @Sendable () -> Void) -> (sequence: ClientBody, source: Source) {
        let new = Producer.makeSequence(
            elementType: ByteBuffer.self, failureType: (any Error).self,
            backPressureStrategy: .init(lowWatermark: 2, highWatermark: 8), finishOnDeinit: false, delegate: Delegate(demand: produceMore))
        return (ClientBody(producer: new.sequence), new.source)
    }

    /// Carries the consumer's demand to the connection.
    struct Delegate: NIOAsyncSequenceProducerDelegate {
        fileprivate let demand: @Sendable () -> Void

        func produceMore() { demand() }

        /// Who made the sequence learns of its consumer's end by other ways.
        func didTerminate() {}
    }
}
