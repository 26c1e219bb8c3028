import Foundation
import GRDB
import Ledger
import ResponseCache
import Testing
import Wire

@Suite struct ResponseCacheTests {
    private let noon = Date(timeIntervalSince1970: 1_800_000_000)
    private let folder = Folder()

    private final class Folder {
        let path = NSTemporaryDirectory() + "swiftlet-\(UUID().uuidString)"
        init() { try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
        var file: String { "\(path)/cache.sqlite" }
    }

    private func entry(_ text: String, length: Int = 100) -> ResponseCache.Entry {
        ResponseCache.Entry(
            answer: KeptAnswer(status: 200, headers: [["content-type", "text/plain"]], body: Array(text.utf8) + Array(repeating: 32, count: length)),
            calls: [ReplayedCall(model: "chat", kind: .chat, promptTokens: 3, completionTokens: 5, finishReason: "stop")], invocation: UUIDv7())
    }

    private func keep(_ cache: ResponseCache, _ key: UInt8, function: String = "f", size: Int = 1 << 20, length: Int = 100, after seconds: Double) async throws {
        try await cache.keep(entry("\(key)", length: length), under: [key], of: function, ttl: .seconds(60), size: size, now: noon + seconds)
    }

    private func has(_ cache: ResponseCache, _ key: UInt8, after seconds: Double) async throws -> Bool {
        try await cache.find([key], ttl: .seconds(60), now: noon + seconds) != nil
    }

    @Test func `What is kept is found, also by the next process, until its time is over`() async throws {
        let kept = entry("hello")
        do {
            let cache = try ResponseCache(path: folder.file)
            #expect(try await cache.find([1], ttl: .seconds(60), now: noon) == nil)
            try await cache.keep(kept, under: [1], of: "f", ttl: .seconds(60), size: 1 << 20, now: noon)
            #expect(try await cache.find([1], ttl: .seconds(60), now: noon) == kept)
        }
        let cache = try ResponseCache(path: folder.file)
        #expect(try await cache.find([1], ttl: .seconds(60), now: noon + 59) == kept)
        #expect(try await cache.find([1], ttl: .seconds(60), now: noon + 60) == nil)
        // A shorter time holds at once; a clock that went back makes nothing younger than new.
        #expect(try await cache.find([1], ttl: .seconds(30), now: noon + 31) == nil)
        #expect(try await cache.find([1], ttl: .seconds(60), now: noon - 1) == nil)
    }

    @Test func `The least recently used go first, of the same function`() async throws {
        let cache = try ResponseCache(path: folder.file)
        // Three answers fit.
        let size = 3 * 600
        try await keep(cache, 9, function: "other", after: 0)
        for key in 1...3 { try await keep(cache, UInt8(key), size: size, length: 200, after: Double(key)) }
        #expect(try await has(cache, 1, after: 10))
        try await keep(cache, 4, size: size, length: 200, after: 11)
        #expect(try await has(cache, 1, after: 12))
        #expect(try await !has(cache, 2, after: 12))
        #expect(try await has(cache, 3, after: 12))
        #expect(try await has(cache, 4, after: 12))
        #expect(try await has(cache, 9, after: 12))
        // One that could never fit drives nothing out.
        try await keep(cache, 5, size: size, length: size, after: 20)
        #expect(try await has(cache, 4, after: 21))
        #expect(try await !has(cache, 5, after: 21))
    }

    @Test func `A thousand answers take no more room than they may`() async throws {
        let cache = try ResponseCache(path: folder.file)
        for number in 0..<1000 {
            try await cache.keep(
                entry("x", length: 1000), under: [UInt8(number & 255), UInt8(number >> 8)], of: "f", ttl: .seconds(60), size: 50_000, now: noon + Double(number))
        }
        // The same one again replaces itself.
        for _ in 0..<10 { try await keep(cache, 7, size: 50_000, after: 2000) }
        let queue = try DatabaseQueue(path: folder.file)
        let (sum, total) = try await queue.read { db in
            (try Int.fetchOne(db, sql: "SELECT SUM(size) FROM answers"), try Int.fetchOne(db, sql: "SELECT size FROM totals WHERE function = 'f'"))
        }
        #expect(sum == total && (40_000...50_000).contains(sum ?? 0))
    }

    @Test(arguments: ["not a database, and long enough to be taken for one: ".data(using: .utf8) ?? Data(), Data()])
    func `A damaged file is begun anew`(content: Data) async throws {
        try (content + content + content + content).write(to: URL(filePath: folder.file))
        let cache = try ResponseCache(path: folder.file)
        try await keep(cache, 1, after: 0)
        #expect(try await has(cache, 1, after: 1))
    }

    @Test func `Only its owner may read it`() throws {
        _ = try ResponseCache(path: folder.file)
        let rights = try FileManager.default.attributesOfItem(atPath: folder.file)[.posixPermissions] as? Int
        #expect(rights == 0o600)
    }
}
