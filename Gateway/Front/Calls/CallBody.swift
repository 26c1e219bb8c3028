import FastCGI
import HTTPTypes
import NIOCore
import Wire

/// A request's body on its way to a worker.
enum CallBody: Sendable {
    /// All of it: it is sent in one go, and can be sent again to another worker.
    case whole(ByteBuffer)
    /// Sent as it comes.
    case streamed(LimitedBody)

    /// Up to here the body is awaited before a worker is, so that no worker waits for a slow sender.
    private static let shortLength = 128 * 1024

    /// - Parameter mustBeWhole: the request may have to be sent twice.
    /// - Throws: ``APIError`` 413 when it is longer than `limit`; what the client's connection fails with.
    init(of client: ClientExchange, limit: Int, mustBeWhole: Bool) async throws {
        guard let body = client.body else {
            self = .whole(ByteBuffer())
            return
        }
        let length = client.request.headerFields.first(.contentLength).flatMap(Int.init)
        let limited = LimitedBody(base: body, limit: limit)
        if mustBeWhole || length.map({ $0 <= Self.shortLength }) ?? false {
            self = .whole(try await limited.collect())
        } else {
            self = .streamed(limited)
        }
    }
}
