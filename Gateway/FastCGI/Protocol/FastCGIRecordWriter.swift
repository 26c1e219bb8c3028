import NIOCore

/// Collects a connection's records until they are written out: one write for many small ones.
///
/// A class, because whoever hears of a write may write more.
final class FastCGIRecordWriter {
    private var encoder = FastCGIRecordEncoder()
    /// Of those who wrote what the encoder has.
    private var written: EventLoopPromise<Void>?

    func add(_ record: FastCGIRecord, promise: EventLoopPromise<Void>? = nil) {
        encoder.encode(record)
        guard let promise else { return }
        if let written { written.futureResult.cascade(to: promise) } else { written = promise }
    }

    /// - Parameter begun: for the first bytes, where nobody waits for the last.
    func writeOut(_ context: ChannelHandlerContext, begun: EventLoopPromise<Void>? = nil) {
        let buffers = encoder.take()
        var promise = begun
        for (index, buffer) in buffers.enumerated() {
            if begun == nil, index == buffers.count - 1 { (promise, written) = (written, nil) }
            context.write(NIOAny(buffer), promise: promise)
            promise = nil
        }
        context.flush()
    }

    /// The connection has gone.
    func fail() {
        let promise = written
        written = nil
        promise?.fail(ChannelError.ioOnClosedChannel)
    }
}
