import FastCGI
import Logging
import NIOCore
import Synchronization

/// Open connections to workers, by the worker's socket: those that no request uses are kept for the next.
package final class WorkerConnections: Sendable {
    fileprivate struct Worker {
        var idle: [FastCGIConnection] = []
        /// Those in use, too.
        var open = 0
    }

    private let workers = Mutex<[String: Worker]>([:])
    private let logger: Logger

    package init(logger: Logger) {
        self.logger = logger
    }

    /// A connection to the worker at `socket`: one that is open already, or a new one.
    /// - Parameters:
    ///   - eventLoop: where its user runs. A connection on the same one needs no other thread, so one on another is second choice,
    ///     for when no more can be opened.
    ///   - limit: how many the worker serves at a time: an idle one more would keep others waiting.
    ///   - deadline: of who wants it; a new one takes five seconds at most.
    package func take(
        _ socket: String, on eventLoop: any EventLoop, limit: Int, deadline: ContinuousClock.Instant
    ) async throws -> FastCGIConnection {
        while let connection = workers.withLock({ $0[socket, default: Worker()].take(on: eventLoop, limit: limit) }) {
            if connection.isReusable { return connection }
            close(connection, to: socket)
        }
        do {
            return try await FastCGIConnection.connect(
                unixSocketPath: socket, eventLoopGroup: eventLoop, timeout: min(.seconds(5), ContinuousClock.now.duration(to: deadline)), logger: logger)
        } catch {
            forgetOne(of: socket)
            throw error
        }
    }

    /// Keeps `connection` for the next request, or closes it if it cannot serve another.
    package func giveBack(_ connection: FastCGIConnection, to socket: String) {
        guard connection.isReusable else { return close(connection, to: socket) }
        let isKept = workers.withLock { $0[socket]?.idle.append(connection) != nil }
        if !isKept { connection.close() }
    }

    package func close(_ connection: FastCGIConnection, to socket: String) {
        connection.close()
        forgetOne(of: socket)
    }

    private func forgetOne(of socket: String) {
        workers.withLock { workers in
            workers[socket]?.open -= 1
            if let worker = workers[socket], worker.open <= 0 { workers[socket] = nil }
        }
    }

    /// The worker at `socket` gets no more requests; its socket's path is not used again.
    package func forget(_ socket: String) {
        let connections = workers.withLock { $0.removeValue(forKey: socket)?.idle ?? [] }
        for connection in connections { connection.close() }
    }
}

extension WorkerConnections.Worker {
    /// - Returns: `nil` when a new one is to be opened, which is counted already.
    fileprivate mutating func take(on eventLoop: any EventLoop, limit: Int) -> FastCGIConnection? {
        if let index = idle.lastIndex(where: { $0.eventLoop === eventLoop }) { return idle.remove(at: index) }
        if open >= limit, let other = idle.popLast() { return other }
        open += 1
        return nil
    }
}
