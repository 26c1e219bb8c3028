import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes

/// A Hummingbird server's connection that speaks FastCGI 1.0 in the role of a responder, in the place of `HTTP1Channel`:
/// routers, middleware and streaming bodies work as they do over HTTP.
///
/// The client's hang-up, which nginx shows by closing the connection and others by FCGI_ABORT_REQUEST, ends the
/// request's body with ``FastCGIRequestAborted``; `RequestBody.consumeWithCancellationOnInboundClose` sees it at once.
/// ```
/// Application(
///     router: router, server: .fastCGI(),
///     configuration: .init(address: .unixDomainSocket(path: path)),
///     onServerRunning: { _ in /* chmod(path, 0o660) */ })
/// ```
package struct FastCGIChannel: HTTPChannelHandler {
    package typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    package struct Configuration: Sendable {
        package var limits = FastCGIResponderState.Limits()
        /// How long a connection that we close waits for the peer to close it too.
        package var lingerTimeout = TimeAmount.seconds(5)

        package init() {}
    }

    package let responder: HTTPChannelHandler.Responder
    package let configuration: Configuration

    package init(responder: @escaping HTTPChannelHandler.Responder, configuration: Configuration = Configuration()) {
        self.responder = responder
        self.configuration = configuration
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers([
                ByteToMessageHandler(FastCGIRecordDecoder()),
                FastCGIRecordEncoder(),
                FastCGIServerHandler(limits: configuration.limits, lingerTimeout: configuration.lingerTimeout, logger: logger),
            ])
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    package func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}

extension HTTPServerBuilder {
    /// Serves FastCGI in the place of HTTP.
    package static func fastCGI(configuration: FastCGIChannel.Configuration = .init()) -> HTTPServerBuilder {
        HTTPServerBuilder { FastCGIChannel(responder: $0, configuration: configuration) }
    }
}
