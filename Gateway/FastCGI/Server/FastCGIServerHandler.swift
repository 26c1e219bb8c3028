import HTTPTypes
import Logging
import NIOCore
import NIOHTTPTypes

/// Carries out what ``FastCGIResponderState`` decides: records' bytes become HTTP request parts, and HTTP response parts records' bytes.
final class FastCGIServerHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case open
        /// Our output is closed, or will be when it has been written; input is read and thrown away until the peer
        /// closes. Closing with unread input would show the peer a reset in the place of the response's end.
        case lingering(isOutputClosed: Bool)
        case closed
    }

    private var state: FastCGIResponderState
    private let decoder = NIOSingleStepByteToMessageProcessor(FastCGIRecordDecoder())
    private let writer = FastCGIRecordWriter()
    private var phase = Phase.open
    /// Whether a short response is on its way that goes to the peer in one piece, at its end.
    private var holdsFlush = false
    private let lingerTimeout: TimeAmount
    private let logger: Logger

    /// The longest body that is held: well below the channel's high water mark, beyond which its writer would wait for a flush.
    private static let longestHeld = 16 * 1024

    init(limits: FastCGIResponderState.Limits, lingerTimeout: TimeAmount, logger: Logger) {
        self.state = FastCGIResponderState(limits: limits)
        self.lingerTimeout = lingerTimeout
        self.logger = logger
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try decoder.process(buffer: unwrapInboundIn(data)) { record in
                if case .open = phase { try receive(record, context: context) }
            }
        } catch let error as FastCGIProtocolError {
            fail(error, context: context)
        } catch {
            context.fireErrorCaught(error)
        }
    }

    private func receive(_ record: FastCGIRecord, context: ChannelHandlerContext) throws {
        switch try state.receive(record) {
        case .nothing: break
        case .head(let head): context.fireChannelRead(wrapInboundOut(.head(head)))
        case .body(let bytes): context.fireChannelRead(wrapInboundOut(.body(bytes)))
        case .end: context.fireChannelRead(wrapInboundOut(.end(nil)))
        case .reply(let record, let thenClose):
            // Replies are not held back by the peer's reading, so they could pile up.
            guard context.channel.isWritable else { throw FastCGIProtocolError("the Web server asks but does not read answers") }
            writer.add(record)
            writer.writeOut(context)
            if thenClose { linger(context: context) }
        case .abort(let record):
            endInput(context: context)
            phase = .closed
            let channel = context.channel
            let written = context.eventLoop.makePromise(of: Void.self)
            written.futureResult.whenComplete { _ in channel.close(promise: nil) }
            writer.add(record, promise: written)
            writer.writeOut(context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // The application may have stopped reading for good.
        if case .lingering = phase { context.read() }
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            if case .lingering(isOutputClosed: false) = phase { break }
            close(context: context)
        case is ChannelShouldQuiesceEvent:
            state.drain()
            if case .open = phase, !state.hasRequest { linger(context: context) }
        default:
            break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        close(context: context)
        writer.fail()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? FastCGIProtocolError {
            fail(error, context: context)
        } else {
            logger.debug("FastCGI connection failed", metadata: ["error": "\(error)"])
            context.fireErrorCaught(error)
        }
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .open = phase else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let part = unwrapOutboundIn(data)
        if case .head(let head) = part, let length = head.headerFields.first(.contentLength).flatMap(HTTPRequest.decimal) {
            holdsFlush = length <= Self.longestHeld
        }
        switch state.respond(part) {
        case .nothing:
            promise?.succeed()
        case .send(let record):
            writer.add(record, promise: promise)
        case .finish(let endOfOutput, let endOfRequest, let endsInput, let thenClose):
            holdsFlush = false
            writer.add(endOfOutput)
            writer.add(endOfRequest, promise: promise)
            writer.writeOut(context)
            if endsInput {
                context.fireChannelRead(wrapInboundOut(.end(nil)))
                context.fireChannelReadComplete()
            }
            if thenClose { linger(context: context) }
        }
    }

    func flush(context: ChannelHandlerContext) {
        if !holdsFlush { writer.writeOut(context) }
    }

    /// The application closes. `.output`: it has served its last request here, or has failed in mid-response; then it
    /// closes `.all`, which must wait for what was written. `.input`: its task was cancelled.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch (mode, phase) {
        case (.output, .open):
            if state.hasRequest { breakOff(context: context) }
            linger(context: context)
            promise?.succeed()
        case (.output, .lingering):
            promise?.succeed()
        case (.all, .lingering):
            context.channel.closeFuture.cascade(to: promise)
        default:
            phase = .closed
            context.close(promise: promise)
        }
    }

    // MARK: Endings

    /// Makes a response that has failed look like that. Without buffering, nginx takes the connection's end for the
    /// response's; but it breaks off the client's connection at a record that it does not expect. This one is harmless
    /// to others (§4.2), and they miss FCGI_END_REQUEST.
    private func breakOff(context: ChannelHandlerContext) {
        holdsFlush = false
        writer.add(FastCGIRecord(.unknownType, requestID: 0, content: ByteBuffer(repeating: 0, count: 8)))
        writer.writeOut(context)
    }

    private func linger(context: ChannelHandlerContext) {
        guard case .open = phase else { return }
        phase = .lingering(isOutputClosed: false)
        let outputClosed = context.eventLoop.makePromise(of: Void.self)
        outputClosed.futureResult.assumeIsolated().whenComplete { result in
            guard case .success = result else { return self.close(context: context) }
            self.phase = .lingering(isOutputClosed: true)
            let channel = context.channel
            let timeout = context.eventLoop.scheduleTask(in: self.lingerTimeout) { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in timeout.cancel() }
        }
        context.close(mode: .output, promise: outputClosed)
        context.read()
    }

    private func fail(_ error: FastCGIProtocolError, context: ChannelHandlerContext) {
        guard case .open = phase else { return }
        logger.warning("Closing a FastCGI connection to the Web server: \(error.message)")
        close(context: context)
    }

    private func close(context: ChannelHandlerContext) {
        if case .closed = phase { return }
        if case .open = phase, state.hasRequest { endInput(context: context) }
        phase = .closed
        context.close(promise: nil)
    }

    /// With an error, so that nobody takes the part of a body that has arrived for the whole.
    private func endInput(context: ChannelHandlerContext) {
        context.fireErrorCaught(FastCGIRequestAborted())
    }
}

/// Thrown by a request's body when the Web server, or the client behind it, has gone.
package struct FastCGIRequestAborted: Error {
    package init() {}
}
