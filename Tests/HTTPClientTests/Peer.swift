import Foundation
import Glibc
import Synchronization
import SwiftletSystem

/// A server made by hand: each connection runs `script` on its own thread, so that a test decides every byte and when it is sent.
final class Peer: Sendable {
    /// Empty for a TCP peer.
    let socketPath: String
    let url: String
    private let listener: Int32
    private let count = Atomic(0)

    /// Connections accepted so far.
    var connections: Int { count.load(ordering: .acquiring) }

    /// - Parameter tcp: listens on a port of 127.0.0.1 instead of a unix socket.
    init(tcp: Bool = false, script: @escaping @Sendable (Connection) -> Void) throws {
        let path = tcp ? "" : NSTemporaryDirectory() + "peer-\(UUID().uuidString.prefix(8)).sock"
        let listener = socket(tcp ? AF_INET : AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        if tcp {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
            try Peer.listen(listener, at: &address)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            _ = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
            }
            url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/model.gguf"
        } else {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            try Peer.listen(listener, at: &address)
            url = "http://model/v1/models?a=b"
        }
        self.listener = listener
        socketPath = path
        startBlockingThread { [self, listener] in
            while case let descriptor = accept(listener, nil, nil), descriptor >= 0 {
                count.add(1, ordering: .acquiringAndReleasing)
                startBlockingThread {
                    script(Connection(descriptor: descriptor))
                    close(descriptor)
                }
            }
        }
    }

    private static func listen<Address>(_ listener: Int32, at address: inout Address) throws {
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<Address>.size)) }
        }
        guard bound == 0, Glibc.listen(listener, 128) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        if !socketPath.isEmpty { unlink(socketPath) }
    }

    struct Connection {
        let descriptor: Int32

        /// Head and body of the next request; `nil` when the client has closed.
        func readRequest() -> String? {
            var bytes: [UInt8] = []
            while true {
                let text = String(decoding: bytes, as: UTF8.self)
                if let end = text.range(of: "\r\n\r\n") {
                    let length = text.range(of: "Content-Length: ").flatMap { Int(text[$0.upperBound...].prefix { $0.isNumber }) } ?? 0
                    if text[end.upperBound...].utf8.count >= length { return text }
                }
                var buffer = [UInt8](repeating: 0, count: 65536)
                let count = read(descriptor, &buffer, buffer.count)
                if count <= 0 { return nil }
                bytes += buffer[..<count]
            }
        }

        /// - Returns: bytes written; fewer than given when the client has closed.
        @discardableResult func send(_ text: String) -> Int {
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                if written <= 0 { break }
                rest = rest.dropFirst(written)
            }
            return text.utf8.count - rest.count
        }

        /// Returns when the client has closed the connection.
        func waitForClose() {
            var byte: UInt8 = 0
            while read(descriptor, &byte, 1) > 0 {}
        }
    }
}

/// A one-shot event that a script's thread signals and a test awaits.
final class Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    init() { (stream, continuation) = AsyncStream.makeStream() }
    func fire() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}

func temporaryFolder() throws -> String {
    let path = NSTemporaryDirectory() + "http-client-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
}
