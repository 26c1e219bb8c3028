import HTTPClient
import Logging
import Synchronization
import Wire

/// Calls out on behalf of one invocation: shows its token, keeps its deadline, adds up what it uses.
final class Caller: Sendable {
    let invocation: Invocation
    private let worker: Logger
    private let total = Mutex(TokenUsage())

    /// - Parameter worker: the log of the worker as a whole.
    init(invocation: Invocation, worker: Logger) {
        self.invocation = invocation
        self.worker = worker
    }

    /// The worker's log, with the invocation's id in every line.
    var logger: Logger {
        var logger = worker
        logger[metadataKey: "invocation"] = "\(invocation.id)"
        return logger
    }

    var usage: TokenUsage { total.withLock { $0 } }

    func count(_ usage: TokenUsage?) {
        if let usage { total.withLock { $0 += usage } }
    }

    /// Counts a reply's `usage`, where it has one.
    func count(_ usage: JSON?) {
        guard let usage, usage != .null, let bytes: [UInt8] = try? JSON.encode(usage) else { return }
        count(try? JSON.decode(TokenUsage.self, from: bytes))
    }

    /// - Parameter peer: who is called, for the error message.
    /// - Returns: the response, whatever its status.
    /// - Throws: ``APIError`` when there is none.
    func send(_ peer: String, at socket: String, _ method: String, _ path: String, _ body: [UInt8]?) async throws -> HTTPClient.Response {
        var headers = [HTTPClient.Field("Authorization", "Bearer \(invocation.token)")]
        // libcurl sends a request once more when a connection that it kept turns out to be dead; the host tells by this.
        headers.append(HTTPClient.Field("x-swiftlet-call-id", "\(UUIDv7())"))
        if body != nil { headers.append(HTTPClient.Field("Content-Type", "application/json")) }
        do {
            return try await HTTPClient.send(
                HTTPClient.Request(
                    method: method, url: "http://swiftlet\(path)", unixSocket: socket, headers: headers, body: body,
                    timeouts: HTTPClient.Timeouts(total: invocation.remaining)))
        } catch let error as HTTPError {
            throw shown(error, peer)
        }
    }

    /// The whole body of a successful response.
    /// - Throws: ``APIError``, the peer's own where the status says so.
    func collect(_ peer: String, at socket: String, _ method: String, _ path: String, _ body: [UInt8]?) async throws -> [UInt8] {
        let response = try await send(peer, at: socket, method, path, body)
        guard response.isSuccess else { throw await failure(response, of: peer) }
        return try await bytes(of: response, from: peer)
    }

    /// The error that a response with an error status holds.
    func failure(_ response: HTTPClient.Response, of peer: String) async -> any Error {
        do {
            let body = try await bytes(of: response, from: peer)
            guard var error = try? JSON.decode(APIError.self, from: body) else {
                logger.error("\(peer) answered with status \(response.status): \(String(decoding: body.prefix(200), as: UTF8.self).debugDescription)")
                return APIError.badGateway("\(peer) failed.")
            }
            error.status = response.status
            return error
        } catch {
            return error
        }
    }

    /// What the client is told; the details, paths among them, are for the log.
    func shown(_ error: HTTPError, _ peer: String) -> APIError {
        logger.error("\(peer): \(error.message)")
        return switch error.code {
        case .timedOut: .timeout("\(peer) did not answer in time.")
        case .unreachable: .badGateway("\(peer) cannot be reached. Try again.")
        case .closed: .badGateway("\(peer) stopped in the middle of its answer. Try again.")
        case .invalidRequest, .badResponse, .status, .file, .unavailable: .badGateway("\(peer) could not be called.")
        }
    }

    private func bytes(of response: HTTPClient.Response, from peer: String) async throws -> [UInt8] {
        do {
            return try await response.body.collect(upTo: 256 << 20)
        } catch let error as HTTPError {
            throw shown(error, peer)
        }
    }
}
