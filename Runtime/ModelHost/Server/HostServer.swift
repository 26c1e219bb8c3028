import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import SystemPackage

/// Accepts connections on descriptor 0 until a graceful shutdown, then lets running requests finish.
///
/// Hummingbird's own server binds an address; ours has a socket that was bound before this process existed,
/// and hands each connection to Hummingbird's HTTP/1 channel.
struct HostServer<Responder: HTTPResponder>: Service where Responder.Context == HostContext {
    let responder: Responder
    let logger: Logger

    func run() async throws {
        // Sets up every connection alike; what answers is made for each.
        let pipeline = HTTP1Channel { _, _, _ in }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            // A caller that has closed its side has gone: the connection closes at once.
            .childChannelOption(.allowRemoteHalfClosure, value: false)
            .bind(FileDescriptor.standardInput.rawValue) { pipeline.setup(channel: $0, logger: logger) }
        let callers = Callers()

        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { tasks in
                do {
                    try await listener.executeThenClose { connections in
                        for try await connection in connections {
                            tasks.addTask {
                                await callers.with(connection.channel) { caller in
                                    await http(for: caller).handle(value: connection, logger: logger)
                                }
                            }
                        }
                    }
                } catch {
                    logger.error("cannot accept connections: \(error)")
                }
            }
        } onGracefulShutdown: {
            listener.channel.close(promise: nil)
            callers.letGo()
        }
    }

    private func http(for caller: Caller) -> HTTP1Channel {
        HTTP1Channel { [responder, logger] request, writer, _ in
            caller.beginsRequest()
            defer { caller.hasAnswer() }
            let context = HostContext(source: .init(caller: caller, logger: logger))
            let response = try await responder.respond(to: request, context: context)
            try await writer.write(response: response.head, body: response.body)
        }
    }
}

/// Service groups print their services at the start; without a name, that prints all of the responder, which takes milliseconds.
extension HostServer: CustomStringConvertible {
    var description: String { "HTTP server" }
}
