import FastCGI
import Foundation
import Front
import Logging
import NIOCore
import NIOPosix
import Testing

@Suite(.timeLimit(.minutes(1))) struct WorkerConnectionsTests {
    @Test func `A connection is used again where it is, and elsewhere only when the worker takes no more`() async throws {
        try await withWorker { socket, loops in
            let connections = WorkerConnections(logger: Logger(label: "test"))
            func take(_ loop: Int) async throws -> FastCGIConnection { try await connections.take(socket, on: loops[loop], limit: 2, deadline: .now + .seconds(10)) }
            let first = try await take(0)
            connections.giveBack(first, to: socket)
            #expect(try await take(0) === first)
            connections.giveBack(first, to: socket)
            // One more is open to the worker, and so it is opened.
            let second = try await take(1)
            #expect(second !== first && second.eventLoop === loops[1])
            connections.giveBack(second, to: socket)
            #expect(try await take(1) === second)
            #expect(try await take(1) === first)
            // What was closed makes room.
            connections.close(first, to: socket)
            let third = try await take(1)
            #expect(third !== first && third.eventLoop === loops[1])
        }
    }

    @Test func `A worker that is forgotten gets nothing back`() async throws {
        try await withWorker { socket, loops in
            let connections = WorkerConnections(logger: Logger(label: "test"))
            let first = try await connections.take(socket, on: loops[0], limit: 2, deadline: .now + .seconds(10))
            connections.forget(socket)
            connections.giveBack(first, to: socket)
            #expect(try await connections.take(socket, on: loops[0], limit: 2, deadline: .now + .seconds(10)) !== first)
        }
    }

    /// Something that accepts connections at a socket, and two event loops.
    private func withWorker(_ body: (String, [any EventLoop]) async throws -> Void) async throws {
        let socket = NSTemporaryDirectory() + "worker-\(UUID().uuidString.prefix(8)).sock"
        defer { try? FileManager.default.removeItem(atPath: socket) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let worker = try await ServerBootstrap(group: group).bind(unixDomainSocketPath: socket).get()
        try await body(socket, Array(group.makeIterator()))
        try await worker.close()
        try await group.shutdownGracefully()
    }
}
