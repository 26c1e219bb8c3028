import FastCGI
import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import Supervisor
import SwiftletSystem

/// Lets a new version of a function show that it works, before any caller's request reaches it.
struct WorkerProof: Sendable {
    let connections: WorkerConnections

    /// Starts a worker and returns when it has answered: the probe in `function.yaml`, or, without one, a word of FastCGI.
    /// - Throws: ``NotProven``.
    func prove(_ function: FunctionRunner) async throws {
        let health = function.manifest.health
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let deadline = ContinuousClock.now + health.timeout
        var failure = "did not answer within \(health.timeout)"
        do {
            let lease = try await function.acquire(key: "", deadline: deadline)
            do {
                if let probe = health.probe {
                    try await ask(probe, of: function, at: lease.socket, on: eventLoop, until: deadline)
                } else {
                    try await greet(function, at: lease.socket, until: deadline)
                }
            } catch {
                function.release(lease, .unanswered)
                throw error
            }
            function.release(lease, .answered)
            return
        } catch let error as NotProven {
            failure = error.description
        } catch where ContinuousClock.now >= deadline {
        } catch {
            failure = "ended before it answered"
        }
        // A connection's end may be known before its process's.
        for _ in 0..<10 where function.lastFailure.isEmpty { try? await Task.sleep(for: .milliseconds(20)) }
        let ending = function.lastFailure
        throw NotProven("'\(function.manifest.name)' cannot serve: \(ending.isEmpty ? "its worker \(failure)" : ending); its log says more")
    }

    private func ask(
        _ probe: FunctionManifest.Health.Probe, of function: FunctionRunner, at socket: String, on eventLoop: any EventLoop,
        until deadline: ContinuousClock.Instant
    ) async throws {
        guard let method = HTTPRequest.Method(probe.method) else { throw NotProven("cannot be probed with \(probe.method)") }
        var head = HTTPRequest(method: method, scheme: "http", authority: "localhost", path: probe.path)
        head.headerFields[.contentLength] = "\(probe.body.utf8.count)"
        if probe.body.hasPrefix("{") { head.headerFields[.contentType] = "application/json" }
        let request = FastCGIRequest(head, function: function)
        let connection = try await connections.take(socket, on: eventLoop, limit: 1, deadline: deadline)
        defer { connections.close(connection, to: socket) }
        let limit = TimeLimit(deadline: deadline, on: eventLoop)
        limit.onPassing { connection.close() }
        limit.begin()
        defer { limit.end() }
        let status = try await connection.execute(request, body: ByteBuffer(string: probe.body)) { response in
            for try await _ in response.body {}
            return response.status.code
        }
        guard probe.status.map({ $0 == status }) ?? (200..<300).contains(status) else {
            throw NotProven("answered its probe \(probe.method) \(probe.path) with status \(status)")
        }
    }

    /// Sends a management record of a type that does not exist. A FastCGI application answers FCGI_UNKNOWN_TYPE (specification, §4.2),
    /// or, as php-cgi does, closes the connection and lives on. (To FCGI_GET_VALUES libfcgi gives no answer.)
    private func greet(_ function: FunctionRunner, at socket: String, until deadline: ContinuousClock.Instant) async throws {
        let answer = try await UnixSocket.exchange([1, 200, 0, 0, 0, 0, 0, 0], at: socket, expecting: 8, until: deadline)
        if answer.isEmpty {
            guard ContinuousClock.now < deadline else { throw DeadlinePassed(limit: .total) }
            // A worker that ends closes its connections a little before its end is known.
            try await Task.sleep(for: .milliseconds(100))
            guard function.lastFailure.isEmpty else { throw NotProven("ended") }
        } else if answer.count < 8 || answer[0] != 1 {
            throw NotProven("does not speak FastCGI on descriptor 0")
        }
    }
}

struct NotProven: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
