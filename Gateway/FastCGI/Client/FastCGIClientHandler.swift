import Glibc
import Logging
import NIOCore

/// Carries out what ``FastCGIRequesterState`` decides, for one request at a time.
final class FastCGIClientHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    /// The next part of the request's body; an empty one ends it.
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Pending {
        let exchange: FastCGIExchange
        let standardError: @Sendable (ByteBuffer) -> Void
    }

    private var state = FastCGIRequesterState()
    private let decoder = NIOSingleStepByteToMessageProcessor(FastCGIRecordDecoder())
    private let writer = FastCGIRecordWriter()
    private var pending: Pending?
    /// Whether the consumer of the body has enough for now, and whether a read was asked for meanwhile.
    private var isPaused = false
    private var isReadHeldBack = false
    private var context: ChannelHandlerContext?
    private let isReusable: SharedFlag
    private let logger: Logger

    init(isReusable: SharedFlag, logger: Logger) {
        self.isReusable = isReusable
        self.logger = logger
    }

    // MARK: Requests, on the event loop

    /// - Parameter body: all of it; `nil` if it is written later.
    func begin(_ request: FastCGIRequest, body content: ByteBuffer?, standardError: @escaping @Sendable (ByteBuffer) -> Void) throws -> FastCGIExchange {
        guard let context, let records = state.begin(request, body: content) else {
            throw FastCGIConnectionError(.notUsable, "the connection to the worker is closed or in use")
        }
        isReusable.value = false
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let exchange = FastCGIExchange { handler.eventLoop.execute { handler.value.setPaused(false) } }
        pending = Pending(exchange: exchange, standardError: standardError)
        // EPIPE: the worker had closed before the first byte was taken, so it has not seen the request.
        let begun = context.eventLoop.makePromise(of: Void.self)
        begun.futureResult.assumeIsolated().whenFailure { error in
            guard (error as? IOError)?.errnoCode == EPIPE else { return }
            self.finish(FastCGIConnectionError(.notUsable, "the worker had closed the connection", cause: error))
        }
        for record in records { writer.add(record) }
        writer.writeOut(context, begun: begun)
        setPaused(false)
        return exchange
    }

    /// Closes the connection unless the request is over and both sides agree on that.
    func end() {
        if !state.isReusable { close(nil) }
    }

    /// The request cannot go on; `error` is what its caller shall see.
    func close(_ error: (any Error)?) {
        finish(error)
        context?.close(promise: nil)
    }

    func setPaused(_ isPaused: Bool) {
        self.isPaused = isPaused
        if !isPaused, isReadHeldBack {
            isReadHeldBack = false
            context?.read()
        }
    }

    /// The connection is lost to further requests; the present one, if there is one, ends with `error`.
    private func finish(_ error: (any Error)?) {
        isReusable.value = false
        let cause = state.close()
        complete(error ?? cause)
    }

    private func complete(_ error: (any Error)?) {
        guard let pending else { return }
        self.pending = nil
        pending.exchange.finish(error)
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(nil)
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try decoder.process(buffer: unwrapInboundIn(data), receive)
        } catch let error as FastCGIConnectionError {
            fail(error)
        } catch {
            fail(FastCGIConnectionError(.malformedResponse, "\(error)"))
        }
    }

    private func receive(_ record: FastCGIRecord) throws {
        switch try state.receive(record) {
        case .nothing:
            break
        case .head(let head, let rest):
            pending?.exchange.begin(head)
            if rest.readableBytes > 0 { yield(rest) }
        case .body(let bytes):
            yield(bytes)
        case .standardError(let bytes):
            pending?.standardError(bytes)
        case .end(let code, let message):
            // Before anyone learns that the request is over.
            isReusable.value = state.isReusable
            complete(code.map { FastCGIConnectionError($0, message) })
            setPaused(false)
        }
    }

    private func yield(_ bytes: ByteBuffer) {
        if pending?.exchange.yield(bytes) == .enough { isPaused = true }
    }

    func read(context: ChannelHandlerContext) {
        if isPaused {
            isReadHeldBack = true
        } else {
            context.read()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Input or output has failed; the channel goes inactive next, after what had arrived was read.
        logger.debug("FastCGI connection failed", metadata: ["error": "\(error)"])
    }

    private func fail(_ error: FastCGIConnectionError) {
        // The state is closed from the first failure on, and then refuses every record.
        guard pending != nil || isReusable.value else { return }
        logger.warning("Closing a FastCGI connection to a worker: \(error.message)")
        close(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(nil)
        writer.fail()
        context.fireChannelInactive()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let record = state.send(unwrapOutboundIn(data)) else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        writer.add(record, promise: promise)
    }

    func flush(context: ChannelHandlerContext) { writer.writeOut(context) }
}
