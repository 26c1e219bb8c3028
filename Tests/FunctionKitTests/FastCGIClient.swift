import Foundation
import FunctionKit
import Glibc
import SwiftletSystem

/// A web server's side of FastCGI 1.0, written from the specification and independent of libfcgi.
final class FastCGIClient: Sendable {
    struct Reply {
        var head: [String: String] = [:]
        var body: [UInt8] = []
        /// `nil` when the connection ended before FCGI_END_REQUEST.
        var applicationStatus: UInt32?
        var text: String { String(decoding: body, as: UTF8.self) }
        var status: Int? { head["Status"].flatMap { Int($0) } }
    }

    struct Record {
        var type: UInt8
        var request: UInt16
        var content: [UInt8]
    }

    private let descriptor: Int32

    init(to path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let status = withUnixAddress(path) { connect(descriptor, $0, $1) }
        guard status == 0 else { throw CocoaError(.fileNoSuchFile) }
    }

    deinit { close(descriptor) }

    /// The client hangs up.
    func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func send(_ parameters: [String: String] = [:], body: String = "", keepOpen: Bool = true, id: UInt16 = 1) {
        var parameters = parameters
        if parameters["CONTENT_LENGTH"] == nil { parameters["CONTENT_LENGTH"] = "\(body.utf8.count)" }
        var bytes: [UInt8] = []
        for (name, value) in parameters { bytes += length(name) + length(value) + Array(name.utf8) + Array(value.utf8) }
        // At once, as gateways do: FCGI_BEGIN_REQUEST of a responder, FCGI_PARAMS, FCGI_STDIN.
        send(record(1, [0, 1, keepOpen ? 1 : 0, 0, 0, 0, 0, 0], id) + stream(4, bytes, id) + stream(5, Array(body.utf8), id))
    }

    func abort(id: UInt16 = 1) { send(record(2, [], id)) }

    /// Blocks; `nil` at the end of the connection.
    func readRecord() -> Record? {
        guard let header = read(8) else { return nil }
        let (length, padding) = (Int(header[4]) << 8 | Int(header[5]), Int(header[6]))
        guard let content = read(length), read(padding) != nil else { return nil }
        return Record(type: header[1], request: UInt16(header[2]) << 8 | UInt16(header[3]), content: content)
    }

    /// The whole reply to what was sent last.
    func reply() async -> Reply {
        await onThread {
            var output: [UInt8] = []
            var reply = Reply()
            while let record = self.readRecord() {
                if record.type == 6 { output += record.content }
                if record.type == 3 {
                    reply.applicationStatus = record.content.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
                    break
                }
            }
            let parts = output.firstRange(of: Array("\r\n\r\n".utf8))
            for line in String(decoding: output[..<(parts?.lowerBound ?? 0)], as: UTF8.self).components(separatedBy: "\r\n") where line.contains(": ") {
                let field = line.components(separatedBy: ": ")
                reply.head[field[0]] = field[1]
            }
            reply.body = Array(output[(parts?.upperBound ?? 0)...])
            return reply
        }
    }

    private func length(_ text: String) -> [UInt8] {
        let count = UInt32(text.utf8.count)
        return count < 128 ? [UInt8(count)] : [UInt8(count >> 24) | 0x80, UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255)]
    }

    private func stream(_ type: UInt8, _ bytes: [UInt8], _ id: UInt16) -> [UInt8] {
        stride(from: 0, to: bytes.count, by: 60000).flatMap { record(type, Array(bytes[$0..<min($0 + 60000, bytes.count)]), id) } + record(type, [], id)
    }

    private func record(_ type: UInt8, _ content: [UInt8], _ id: UInt16) -> [UInt8] {
        [1, type, UInt8(id >> 8), UInt8(id & 255), UInt8(content.count >> 8), UInt8(content.count & 255), 0, 0] + content
    }

    private func send(_ bytes: [UInt8]) {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if written <= 0 { return }
            bytes = bytes.dropFirst(written)
        }
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let received = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress.map { $0 + have }, count - have, 0) }
            if received <= 0 { return nil }
            have += received
        }
        return bytes
    }
}

/// Runs blocking code off Swift's pool, which has only as many threads as the machine has cores.
func onThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    await withCheckedContinuation { continuation in startBlockingThread { continuation.resume(returning: body()) } }
}

func withUnixAddress<T>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
}

/// A listening unix socket at a new path.
struct Listener {
    let path = NSTemporaryDirectory() + "function-\(UUID().uuidString.prefix(8)).sock"
    let descriptor: Int32

    init() throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard withUnixAddress(path, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 128) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}

/// A function that serves in this process, for as long as `body` runs.
func withFunction(
    concurrency: Int = 4, environment: WorkerEnvironment = WorkerEnvironment(), handler: @escaping Handler,
    _ body: (_ path: String) async throws -> Void
) async throws {
    let listener = try Listener()
    guard let acceptor = Acceptor(descriptor: listener.descriptor) else { throw CocoaError(.fileReadUnknown) }
    var environment = environment
    environment.concurrency = concurrency
    let server = Server(acceptor: acceptor, environment: environment, handler: handler)
    server.start()
    do {
        try await body(listener.path)
    } catch {
        await server.stop()
        throw error
    }
    await server.stop()
    close(listener.descriptor)
    unlink(listener.path)
}

/// A one-shot event.
final class Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    init() { (stream, continuation) = AsyncStream.makeStream() }
    func fire() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}
