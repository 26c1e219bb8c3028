import Foundation
import HTTPClient
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct DownloadTests {
    private let folder: String
    private var target: String { folder + "/model.gguf" }
    private var part: String { target + ".part" }

    init() throws { folder = try temporaryFolder() }

    private func contents(_ path: String) -> String? { FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } }

    private func server(_ answer: @escaping @Sendable (String) -> String) throws -> Peer {
        try Peer(tcp: true) { connection in
            if let request = connection.readRequest() { connection.send(answer(request)) }
        }
    }

    @Test func aFileFromDisk() async throws {
        try Data("weights".utf8).write(to: URL(fileURLWithPath: folder + "/source"))
        let seen = Mutex<[Int64]>([])
        try await HTTPClient.download("file://\(folder)/source", to: target) { now in seen.withLock { $0.append(now.received) } }
        #expect(contents(target) == "weights")
        #expect(!FileManager.default.fileExists(atPath: part))
        #expect(seen.withLock { $0 }.last == 7)
    }

    @Test func aFileFromDiskGoesOn() async throws {
        try Data("weights".utf8).write(to: URL(fileURLWithPath: folder + "/source"))
        try Data("wei".utf8).write(to: URL(fileURLWithPath: part))
        try await HTTPClient.download("file://\(folder)/source", to: target)
        #expect(contents(target) == "weights")
        try Data("much longer than it".utf8).write(to: URL(fileURLWithPath: part))
        try await HTTPClient.download("file://\(folder)/source", to: target)
        #expect(contents(target) == "weights")
    }

    @Test func anEmptyFileIsAFile() async throws {
        try Data().write(to: URL(fileURLWithPath: folder + "/empty"))
        try await HTTPClient.download("file://\(folder)/empty", to: target)
        #expect(contents(target) == "")
        let peer = try server { _ in "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" }
        defer { peer.stop() }
        try await HTTPClient.download(peer.url, to: target + "2")
        #expect(contents(target + "2") == "")
    }

    @Test func aBrokenDownloadGoesOnWhereItStopped() async throws {
        let requests = Mutex<[String]>([])
        let peer = try server { request in
            requests.withLock { $0.append(request) }
            return request.contains("Range: bytes=5-")
                ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\nETag: \"v1\"\r\n\r\n56789"
                : "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"v1\"\r\n\r\n01234"
        }
        defer { peer.stop() }
        let error = await #expect(throws: HTTPError.self) { try await HTTPClient.download(peer.url, to: target) }
        #expect(error?.code == .closed)
        #expect(contents(target) == nil)
        #expect(contents(part) == "01234")
        let totals = Mutex<HTTPClient.Progress?>(nil)
        try await HTTPClient.download(peer.url, to: target) { now in totals.withLock { $0 = now } }
        #expect(contents(target) == "0123456789")
        #expect(totals.withLock { $0?.received } == 10)
        #expect(totals.withLock { $0?.total } == 10)
        #expect(requests.withLock { $0.last?.contains("If-Range: \"v1\"\r\n") } == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.gguf"])
    }

    @Test func aServerWithoutRangesStartsOver() async throws {
        try Data("old beginning".utf8).write(to: URL(fileURLWithPath: part))
        let peer = try server { _ in "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew" }
        defer { peer.stop() }
        try await HTTPClient.download(peer.url, to: target)
        #expect(contents(target) == "new")
    }

    @Test func aBeginningOfSomethingElseIsThrownAway() async throws {
        try Data("old beginning".utf8).write(to: URL(fileURLWithPath: part))
        let peer = try server { request in
            request.contains("Range:")
                ? "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */3\r\nContent-Length: 0\r\n\r\n"
                : "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"
        }
        defer { peer.stop() }
        try await HTTPClient.download(peer.url, to: target)
        #expect(contents(target) == "new")
    }

    @Test func nothingLeftToFetchIsDone() async throws {
        try Data("all".utf8).write(to: URL(fileURLWithPath: part))
        let peer = try server { _ in "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */3\r\nContent-Length: 0\r\n\r\n" }
        defer { peer.stop() }
        try await HTTPClient.download(peer.url, to: target)
        #expect(contents(target) == "all")
    }

    @Test func theWrongPartIsRefused() async throws {
        try Data("01234".utf8).write(to: URL(fileURLWithPath: part))
        let peer = try server { _ in "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/10\r\nContent-Length: 5\r\n\r\n01234" }
        defer { peer.stop() }
        let error = await #expect(throws: HTTPError.self) { try await HTTPClient.download(peer.url, to: target) }
        #expect(error?.code == .badResponse)
        #expect(contents(part) == "01234")
    }

    @Test func anErrorPageIsAMessageAndNoFile() async throws {
        let peer = try server { _ in "HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\nNo such model" }
        defer { peer.stop() }
        let error = await #expect(throws: HTTPError.self) { try await HTTPClient.download(peer.url + "?token=secret", to: target) }
        #expect(error?.code == .status(404))
        #expect(error?.message.hasSuffix("answered with HTTP status 404: No such model.") == true)
        #expect(error?.message.contains("secret") == false)
        #expect(contents(target) == nil)
    }

    @Test func aRedirectIsFollowed() async throws {
        let peer = try server { request in
            request.hasPrefix("GET /other ")
                ? "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
                : "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 2\r\n\r\nno"
        }
        defer { peer.stop() }
        try await HTTPClient.download(peer.url, to: target)
        #expect(contents(target) == "yes")
    }

    @Test func twoAtOnceAreRefused() async throws {
        let asked = Signal()
        let peer = try Peer(tcp: true) { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01")
            asked.fire()
            connection.waitForClose()
        }
        defer { peer.stop() }
        let first = Task { [target, url = peer.url] in try await HTTPClient.download(url, to: target) }
        await asked.wait()
        let error = await #expect(throws: HTTPError.self) { try await HTTPClient.download(peer.url, to: target) }
        #expect(error?.code == .file)
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
    }
}
