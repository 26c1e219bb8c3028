import FastCGI
import Logging
import NIOCore
import Synchronization

/// Open connections to workers that no request uses, by the worker's socket.
final class WorkerConnections: Sendable {
    private let idle = Mutex<[String: [FastCGIConnection]]>([:])
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    /// A connection to the worker at `socket`: one that is open already, or a new one.
    /// - Parameter eventLoop: where its user runs. A connection on the same one needs no other thread.
    func take(_ socket: String, on eventLoop: any EventLoop) async throws -> FastCGIConnection {
        while let connection = idle.withLock({ $0[socket]?.takeLast(on: eventLoop) }) {
            if connection.isReusable { return connection }
            connection.close()
        }
        return try await FastCGIConnection.connect(
            unixSocketPath: socket, eventLoopGroup: eventLoop, timeout: .seconds(5), logger: logger)
    }

    /// Keeps `connection` for the next request, or closes it if it cannot serve another.
    func giveBack(_ connection: FastCGIConnection, to socket: String) {
        guard connection.isReusable else { return connection.close() }
        idle.withLock { $0[socket, default: []].append(connection) }
    }

    /// The worker at `socket` gets no more requests; its socket's path is not used again.
    func forget(_ socket: String) {
        let connections = idle.withLock { $0.removeValue(forKey: socket) ?? [] }
        for connection in connections { connection.close() }
    }
}

extension [FastCGIConnection] {
    fileprivate mutating func takeLast(on eventLoop: any EventLoop) -> FastCGIConnection? {
        guard let index = lastIndex(where: { $0.eventLoop === eventLoop }) ?? indices.last else { return nil }
        return remove(at: index)
    }
}
