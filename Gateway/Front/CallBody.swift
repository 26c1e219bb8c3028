import FastCGI
import HTTPTypes
import Hummingbird
import NIOCore
import Wire

/// A request's body on its way to a worker.
enum CallBody: Sendable {
    /// All of it: it is sent in one go, and can be sent again to another worker.
    case whole(ByteBuffer)
    /// Sent as it comes.
    case streamed(LimitedBody<RequestBody>)

    /// Up to here the body is awaited before a worker is, so that no worker waits for a slow sender.
    private static let shortLength = 128 * 1024

    /// - Parameter mustBeWhole: the request may have to be sent twice.
    /// - Throws: ``APIError`` 413 when it is longer than `limit`; what the client's connection fails with.
    init(of request: Request, limit: Int, mustBeWhole: Bool) async throws {
        let length = request.headers[.contentLength].flatMap(Int.init)
        let body = LimitedBody(base: request.body, limit: limit)
        if length == nil, request.method == .get || request.method == .head {
            self = .whole(ByteBuffer())
        } else if mustBeWhole || length.map({ $0 <= Self.shortLength }) ?? false {
            var whole = ByteBuffer()
            if length != 0 { for try await piece in body { whole.writeImmutableBuffer(piece) } }
            self = .whole(whole)
        } else {
            self = .streamed(body)
        }
    }
}
