import FastCGI
import Foundation
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

/// Runs `body` with a path for a unix socket, in a folder of its own.
func withSocketPath<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("fastcgi-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder.appendingPathComponent("s").path)
}

struct ChannelContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// Runs `body` while a Hummingbird application serves FastCGI on a unix socket.
func withServer(
    _ router: Router<ChannelContext>, logger: Logger = silent,
    _ body: (_ path: String, _ services: ServiceGroup) async throws -> Void
) async throws {
    try await withSocketPath { path in
        let running = Signal()
        let application = Application(
            router: router, server: .fastCGI(), configuration: .init(address: .unixDomainSocket(path: path)),
            onServerRunning: { _ in
                // For nginx, whose workers run as another user.
                try? FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: path)
                running.send()
            }, logger: logger)
        let services = ServiceGroup(configuration: .init(services: [application], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            await running.wait()
            try await body(path, services)
            group.cancelAll()
        }
    }
}

let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

func connect(_ path: String, logger: Logger = silent) async throws -> FastCGIConnection {
    try await FastCGIConnection.connect(
        unixSocketPath: path, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, timeout: .seconds(5), logger: logger)
}

typealias PeerInbound = NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
typealias PeerOutbound = NIOAsyncChannelOutboundWriter<ByteBuffer>

/// A peer that writes any bytes it likes.
func withPeer(
    _ path: String,
    _ body: (_ inbound: inout PeerInbound, _ outbound: PeerOutbound, _ channel: any Channel) async throws -> Void
) async throws {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelOption(.allowRemoteHalfClosure, value: true)
        .connect(unixDomainSocketPath: path) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    try await channel.executeThenClose { inbound, outbound in
        var iterator = inbound.makeAsyncIterator()
        try await body(&iterator, outbound, channel.channel)
    }
}

extension PeerInbound {
    /// Everything up to the record that ends a request, as types and contents, by the letter of §3.3; or up to the connection's end.
    mutating func records() async throws -> [(kind: UInt8, content: String)] {
        var received: [UInt8] = []
        var found: [(kind: UInt8, content: String)] = []
        while found.last?.kind != 3, let more = try await next() {
            received += more.readableBytesView
            while received.count >= 8 {
                let content = Int(received[4]) << 8 | Int(received[5])
                let end = 8 + content + Int(received[6])
                guard received.count >= end else { break }
                found.append((received[1], String(decoding: received[8..<(8 + content)], as: UTF8.self)))
                received.removeFirst(end)
            }
        }
        return found
    }
}

/// Something that happens once.
final class Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    func send() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}

final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .sequentiallyConsistent) }
    func add(_ number: Int) { count.add(number, ordering: .sequentiallyConsistent) }
}

/// Keeps the lines of at least level warning.
struct LogKeeper: LogHandler {
    final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    let lines = Lines()
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.all.withLock { $0.append(event.message.description) }
    }
}

/// Bytes that tell where they belong.
func pattern(_ count: Int, seed: UInt64 = 7) -> ByteBuffer {
    var generator = SeededGenerator(state: seed)
    var buffer = ByteBuffer()
    buffer.reserveCapacity(count + 8)
    while buffer.readableBytes < count { buffer.writeInteger(generator.next()) }
    return buffer.getSlice(at: 0, length: count) ?? ByteBuffer()
}

/// The buffer in pieces, as an asynchronous sequence.
func pieces(_ buffer: ByteBuffer, of size: Int) -> AsyncStream<ByteBuffer> {
    var rest = buffer
    let slices = stride(from: 0, to: buffer.readableBytes, by: size).compactMap { _ in rest.readSlice(length: min(size, rest.readableBytes)) }
    return AsyncStream { continuation in
        for slice in slices { continuation.yield(slice) }
        continuation.finish()
    }
}

let nothing = pieces(ByteBuffer(), of: 1)
