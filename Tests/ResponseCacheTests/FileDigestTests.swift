import Crypto
import Foundation
import GRDB
import ResponseCache
import SwiftletSystem
import Testing

@Suite struct FileDigestTests {
    private let folder = Folder()

    private final class Folder {
        let path = NSTemporaryDirectory() + "swiftlet-\(UUID().uuidString)"
        init() { try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private var path: String { "\(folder.path)/model.gguf" }
    private func identity() throws -> String { try #require(FileStatus(path: path)).identity }

    private func write(_ content: Data) throws -> String {
        try content.write(to: URL(filePath: path))
        return SHA256.hash(data: content).map { String(format: "%02x", $0) }.joined()
    }

    @Test func `A file is told by what it holds, once computed and then remembered`() async throws {
        let cache = try ResponseCache(path: "\(folder.path)/cache.sqlite")
        let content = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) })
        let expected = try write(content)
        let (first, digests) = (try identity(), FileDigests(cache))
        #expect(await digests.digest(of: path, in: first) == expected)
        // The same content in another file is the same.
        #expect(try write(content) == expected)
        #expect(try await digests.digest(of: path, in: identity()) == expected)
        // What a host still runs is known after its file has gone, also to the next start.
        let other = try write(content + [1])
        #expect(await digests.digest(of: path, in: first) == expected)
        try FileManager.default.removeItem(atPath: path)
        #expect(await FileDigests(cache).digest(of: path, in: first) == expected)
        #expect(try await DatabaseQueue(path: "\(folder.path)/cache.sqlite").read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM files") } == 2)
        #expect(try write(content + [1]) == other && other != expected)
        #expect(try await digests.digest(of: path, in: identity()) == other)
    }

    @Test func `A file that is not what it was has no digest, nor has one that is not computed yet`() async throws {
        let digests = FileDigests(try ResponseCache(path: "\(folder.path)/cache.sqlite"))
        _ = try write(Data("one".utf8))
        let earlier = try identity()
        try FileManager.default.removeItem(atPath: path)
        let expected = try write(Data(repeating: 1, count: 50_000_000))
        #expect(await digests.digest(of: path, in: earlier) == nil)
        #expect(await digests.digest(of: "\(folder.path)/missing", in: "") == nil)
        #expect(try await digests.digest(of: path, in: identity(), patience: .zero) == nil)
        // Nobody waited for it, and it comes about.
        #expect(try await digests.digest(of: path, in: identity(), patience: .seconds(60)) == expected)
    }
}
