import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import Synchronization

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
    package struct Configuration: Sendable {
        package var limits = FastCGIResponderState.Limits()
        /// How long a connection that we close waits for the peer to close it too.
        package var lingerTimeout = TimeAmount.seconds(5)
        /// Handlers of request and response parts between FastCGI and Hummingbird.
        package var additionalHandlers: @Sendable () -> [any RemovableChannelHandler] = { [] }

        package init() {}
    }

    package let responder: HTTPChannelHandler.Responder
    package let configuration: Configuration

    package init(responder: @escaping HTTPChannelHandler.Responder, configuration: Configuration = Configuration()) {
        self.responder = responder
        self.configuration = configuration
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<FastCGIServerConnection> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers([
                FastCGIServerHandler(limits: configuration.limits, lingerTimeout: configuration.lingerTimeout, logger: logger)
            ])
            try channel.pipeline.syncOperations.addHandlers(configuration.additionalHandlers())
            return try FastCGIServerConnection(
                NIOAsyncChannel(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
        }
    }

    package func handle(value connection: FastCGIServerConnection, logger: Logger) async {
        await withTaskExecutorPreference(EventLoopExecutor.of(connection.channel.eventLoop)) {
            await handleHTTP(asyncChannel: connection.take(), logger: logger)
        }
    }
}

/// A connection on its way from the listener to `handle`.
///
/// A server that is cancelled drops the connections that it has accepted but not yet begun to handle, and a
/// `NIOAsyncChannel` that was never executed ends the process. So this executes it in the end.
package final class FastCGIServerConnection: ServerChildChannelValue {
    private let asyncChannel: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>
    private let isTaken = Atomic(false)

    fileprivate init(_ asyncChannel: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>) {
        self.asyncChannel = asyncChannel
    }

    deinit {
        if isTaken.load(ordering: .acquiring) { return }
        Task { [asyncChannel] in try await asyncChannel.executeThenClose { _, _ in } }
    }

    package var channel: any Channel { asyncChannel.channel }

    fileprivate func take() -> NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart> {
        isTaken.store(true, ordering: .releasing)
        return asyncChannel
    }
}

extension HTTPServerBuilder {
    /// Serves FastCGI in the place of HTTP.
    package static func fastCGI(configuration: FastCGIChannel.Configuration = .init()) -> HTTPServerBuilder {
        HTTPServerBuilder { FastCGIChannel(responder: $0, configuration: configuration) }
    }
}
