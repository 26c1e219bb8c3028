import Foundation
import FunctionKit
import Glibc
import SwiftletSystem
import Synchronization

/// A model host or gateway with answers made by hand: HTTP/1.1 on a unix socket, one request per connection.
final class FakeHost: Sendable {
    let path: String
    private let descriptor: Int32
    private let seen = Mutex<[String]>([])

    /// The requests so far, head and body.
    var requests: [String] { seen.withLock { $0 } }

    /// - Parameter answer: the bytes that follow a request, cut into the pieces in which they are sent.
    init(_ answer: @escaping @Sendable (String) -> [String]) throws {
        let listener = try Listener()
        (path, descriptor) = (listener.path, listener.descriptor)
        startBlockingThread { [self] in
            while case let connection = accept(descriptor, nil, nil), connection >= 0 {
                var request = ""
                var buffer = [UInt8](repeating: 0, count: 65536)
                while !FakeHost.isWhole(request) {
                    let count = recv(connection, &buffer, buffer.count, 0)
                    if count <= 0 { break }
                    request += String(decoding: buffer[..<count], as: UTF8.self)
                }
                seen.withLock { [request] in $0.append(request) }
                for piece in answer(request) { _ = send(connection, piece, piece.utf8.count, Int32(MSG_NOSIGNAL)) }
                close(connection)
            }
        }
    }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        unlink(path)
    }

    static func json(_ body: String, status: String = "200 OK") -> [String] {
        ["HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"]
    }

    static func events(_ body: [String]) -> [String] {
        ["HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"]
            + body.map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }
    }

    private static func isWhole(_ request: String) -> Bool {
        guard let end = request.range(of: "\r\n\r\n") else { return false }
        let length = request.range(of: "Content-Length: ").flatMap { Int(request[$0.upperBound...].prefix { $0.isNumber }) } ?? 0
        return request[end.upperBound...].utf8.count >= length
    }
}
