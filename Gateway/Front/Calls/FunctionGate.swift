import FastCGI
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Takes the calls of functions out of a connection's requests. All others go on to Hummingbird, which is behind it.
///
/// A call is one task on the connection's event loop that writes its response here: nothing waits in a queue or wakes a thread in
/// between. One request at a time: those that are sent before the last was answered (HTTP/1's pipelining) wait.
final class FunctionGate: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The request that is received or answered now.
    private struct Current {
        /// `nil` for one that Hummingbird answers.
        let exchange: ClientExchange?
        var isReceived = false
        var isAnswered = false
    }

    /// Parts of later requests that wait, before no more are read.
    private static let longestBacklog = 16

    private let router: LiveRouter
    /// Whether the client speaks HTTP/1 with us. To nginx we speak FastCGI, and it does the rest of HTTP by itself.
    let isHTTP: Bool
    private var current: Current?
    /// Whether requests of the backlog are being received, maybe one that is answered at once.
    private var isGoingOn = false
    private var backlog: CircularBuffer<HTTPRequestPart> = []
    private var context: ChannelHandlerContext?
    /// Of the connection's event loop, while there is one.
    private var executor: EventLoopExecutor?
    /// Something that asks the connection to close when its request is answered.
    private var quiesce: Any?
    /// Whether the call has enough of the body for now, and whether a read was asked for meanwhile.
    private var isBodyFull = false
    private var isReadHeldBack = false
    private var waitingForRoom: [CheckedContinuation<Void, Never>] = []

    init(_ router: LiveRouter, isHTTP: Bool) {
        (self.router, self.isHTTP) = (router, isHTTP)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        executor = EventLoopExecutor.of(context.eventLoop)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        self.context = nil
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if case .head = part, current != nil { return backlog.append(part) }
        if backlog.isEmpty { receive(part, context) } else { backlog.append(part) }
    }

    private func receive(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head):
            guard let executor, let match = router.match(head) else {
                current = Current(exchange: nil)
                return context.fireChannelRead(wrapInboundOut(part))
            }
            let exchange = ClientExchange(head, gate: NIOLoopBound(self, eventLoop: context.eventLoop), on: executor, logger: router.logger)
            current = Current(exchange: exchange)
            isBodyFull = false
            exchange.start { [router] in await router.call(match, for: exchange) }
        case .body(let bytes):
            guard let current else { return }
            guard let exchange = current.exchange else { return context.fireChannelRead(wrapInboundOut(part)) }
            // What follows an answer is for nobody.
            if !current.isAnswered, !exchange.receive(bytes) { isBodyFull = true }
        case .end:
            guard let current else { return }
            self.current?.isReceived = true
            if let exchange = current.exchange { exchange.receiveEnd() } else { context.fireChannelRead(wrapInboundOut(part)) }
            goOn(context)
        }
    }

    /// What follows a request that is received and answered.
    private func goOn(_ context: ChannelHandlerContext) {
        guard let done = current, done.isReceived, done.isAnswered else { return }
        current = nil
        if isGoingOn { return }
        isGoingOn = true
        defer { isGoingOn = false }
        while current == nil, !backlog.isEmpty {
            while let part = backlog.first {
                if case .head = part, current != nil { break }
                receive(backlog.removeFirst(), context)
            }
            // Hummingbird takes what it was given when it hears that there is no more for now.
            context.fireChannelReadComplete()
        }
        readWhatWasHeldBack()
    }

    /// The client has gone, or nothing that it sends can be understood any more.
    private func leave() {
        let exchange = current?.exchange
        current = current?.exchange == nil ? current : nil
        backlog = []
        makeRoom()
        exchange?.leave()
    }

    // MARK: Responses

    /// Writes a part of the response to `exchange`, unless its client has gone.
    func write(_ part: HTTPResponsePart, flush: Bool, for exchange: ClientExchange) {
        guard let context, current?.exchange === exchange, current?.isAnswered == false else { return }
        if case .end = part { return end(part, of: exchange, context) }
        if flush {
            context.writeAndFlush(wrapOutboundOut(part), promise: nil)
        } else {
            context.write(wrapOutboundOut(part), promise: nil)
        }
    }

    private func end(_ part: HTTPResponsePart, of exchange: ClientExchange, _ context: ChannelHandlerContext) {
        var written: EventLoopPromise<Void>?
        if exchange.closesConnection || quiesce != nil {
            // Not before all is written: closing drops what still waits.
            written = context.eventLoop.makePromise()
            written?.futureResult.assumeIsolated().whenComplete { _ in self.close(after: exchange) }
        }
        context.writeAndFlush(wrapOutboundOut(part), promise: written)
        guard current?.exchange === exchange else { return }
        current?.isAnswered = true
        readOn()
        goOn(context)
    }

    private func close(after exchange: ClientExchange) {
        if exchange.closesConnection {
            context?.close(promise: nil)
        } else if let quiesce {
            self.quiesce = nil
            context?.fireUserInboundEventTriggered(quiesce)
        }
    }

    func flush(for exchange: ClientExchange) {
        if current?.exchange === exchange { context?.flush() }
    }

    /// Ends a response in the middle, so that nobody takes it for whole.
    func breakOff(_ exchange: ClientExchange) {
        guard let context, current?.exchange === exchange else { return }
        context.close(mode: .output, promise: nil)
        context.close(promise: nil)
    }

    /// Whether the client takes more at the moment, or never will.
    func hasRoom(for exchange: ClientExchange) -> Bool {
        guard let context, current?.exchange === exchange else { return true }
        return context.channel.isWritable
    }

    func awaitRoom(_ continuation: CheckedContinuation<Void, Never>) { waitingForRoom.append(continuation) }

    func makeRoom() {
        let waiting = waitingForRoom
        waitingForRoom = []
        for continuation in waiting { continuation.resume() }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        guard case .end = unwrapOutboundIn(data), current?.exchange == nil else { return }
        current?.isAnswered = true
        goOn(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { makeRoom() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Back-pressure and endings

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadHeldBack = true }
    }

    private var mayRead: Bool { !(isBodyFull && current?.isAnswered == false) && backlog.count < Self.longestBacklog }

    /// The call wants more of its body.
    func readOn() {
        isBodyFull = false
        readWhatWasHeldBack()
    }

    private func readWhatWasHeldBack() {
        guard isReadHeldBack, mayRead else { return }
        isReadHeldBack = false
        context?.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent, current?.exchange != nil {
            quiesce = event
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        leave()
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }
}
