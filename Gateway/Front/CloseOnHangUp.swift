import NIOCore

/// Closes a connection when its peer has closed its side, as nginx does by default: over HTTP/1 that is a client's hang-up,
/// and the request that runs for it is cancelled.
final class CloseOnHangUp: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Any

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
