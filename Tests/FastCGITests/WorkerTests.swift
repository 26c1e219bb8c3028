import FastCGI
import Foundation
import Glibc
import HTTPTypes
import NIOCore
import Synchronization
import Testing

/// Runs a FastCGI program with its listening socket as file descriptor 0, as §2.2 has it, for the time of `body`.
func withWorker(_ command: [String], _ body: (_ path: String, _ worker: Command) async throws -> Void) async throws {
    try await withSocketPath { path in
        let listener = try listen(path)
        let worker = try Command(command, input: listener)
        Glibc.close(listener)
        defer { worker.kill() }
        try await body(path, worker)
    }
}

/// A blocking unix socket that listens.
func listen(_ path: String, backlog: Int32 = 16) throws -> Int32 {
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    try #require(result == 0 && Glibc.listen(listener, backlog) == 0)
    return listener
}

private func fixturePath(_ name: String) throws -> String {
    try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil)).appendingPathComponent(name).path
}

/// The client against workers that other people wrote.
@Suite(.timeLimit(.minutes(2))) struct WorkerTests {
    @Test(.enabled(if: succeeds("php-cgi -v")), arguments: [0, 1, 65_535, 65_536, 10_000_000])
    func php(count: Int) async throws {
        try await withWorker(["PHP_FCGI_CHILDREN=0", "php-cgi"]) { path, _ in
            let connection = try await connect(path)
            let sent = pattern(count)
            for _ in 0..<2 {
                var request = FastCGIRequest(.post, "/x", length: count)
                request.parameters += [("SCRIPT_FILENAME", try fixturePath("worker.php")), ("REDIRECT_STATUS", "200")]
                // More than one record of FCGI_PARAMS: PHP wants whole pairs in each.
                request.parameters += (0..<300).map { ("FILLER_\($0)", String(repeating: "x", count: 300)) }
                let standardError = Mutex("")
                let received = try await connection.execute(
                    request, body: pieces(sent, of: 50_000), standardError: { bytes in standardError.withLock { $0 += bytes.text } }
                ) { response in
                    #expect(response.status.code == 203 && response.headers[HTTPField.Name("x-worker")!] == "php")
                    return try await response.collect()
                }
                #expect(received == sent && connection.isReusable)
                #expect(standardError.withLock { $0 }.contains("to stderr"))
            }
        }
    }

    @Test(.enabled(if: succeeds("python3 -c 'import flipflop'")), arguments: [0, 1, 65_535, 65_536, 10_000_000])
    func flipflop(count: Int) async throws {
        try await withWorker(["python3", fixturePath("worker.py")]) { path, _ in
            let connection = try await connect(path)
            let sent = pattern(count)
            for _ in 0..<2 {
                let standardError = Mutex("")
                let received = try await connection.execute(
                    FastCGIRequest(.put, "/x", length: count), body: pieces(sent, of: 50_000),
                    standardError: { bytes in standardError.withLock { $0 += bytes.text } }
                ) { response in
                    #expect(response.status == HTTPResponse.Status(code: 203, reasonPhrase: "Echo"))
                    #expect(response.headers[HTTPField.Name("x-method")!] == "PUT")
                    return try await response.collect()
                }
                #expect(received == sent && connection.isReusable)
                #expect(standardError.withLock { $0 } == "to stderr")
            }
        }
    }

    /// One process, on the library that FunctionKit uses.
    @Test(.enabled(if: succeeds("echo '#include <fcgiapp.h>' | cc -E -"))) func libfcgi() async throws {
        let source = try fixturePath("worker.c")
        try await withSocketPath { program in
            try #require(await Command(["cc", "-o", program, source, "-lfcgi"]).ended() == 0)
            try await withWorker([program]) { path, worker in
                let connection = try await connect(path)
                for count in [0, 1, 65_535, 65_536, 10_000_000] {
                    let sent = pattern(count)
                    let received = try await connection.execute(FastCGIRequest(.post, "/echo", length: count), body: pieces(sent, of: 50_000)) {
                        try await $0.collect()
                    }
                    #expect(received == sent && connection.isReusable)
                }
                let standardError = Mutex("")
                let text = try await connection.execute(
                    FastCGIRequest(.get, "/stderr"), body: nothing, standardError: { bytes in standardError.withLock { $0 += bytes.text } }
                ) { try await $0.collect().text }
                #expect(text == "out" && standardError.withLock { $0 } == "one\ntwo\n" && connection.isReusable)

                try await expectError(.failed) {
                    try await connection.execute(FastCGIRequest(.get, "/fail"), body: nothing) { response in
                        #expect(response.status == .ok)
                        _ = try await response.collect()
                    }
                }
                #expect(connection.isReusable)
                // The program serves one connection at a time.
                connection.close()

                // A body that the worker does not read, small and large. The small one may be sent whole.
                for count in [1, 1000, 100_000, 10_000_000] {
                    let connection = try await connect(path)
                    let request = FastCGIRequest(.post, "/unread", length: count)
                    let text = try await connection.execute(request, body: pieces(pattern(count), of: 50_000)) { try await $0.collect().text }
                    #expect(text == "/unread")
                    connection.close()
                }

                // The worker is let go at once by a consumer that does not want the rest, and by cancellation.
                let impatient = try await connect(path)
                let first = try await impatient.execute(FastCGIRequest(.get, "/flood"), body: nothing) { response in
                    for try await bytes in response.body { return bytes.readableBytes }
                    return 0
                }
                #expect(first > 0 && !impatient.isReusable)

                let last = try await connect(path)
                try await expectError(.responseCutShort) {
                    try await last.execute(FastCGIRequest(.get, "/crash"), body: nothing) { _ = try await $0.collect() }
                }
                #expect(!last.isReusable)
                try await expectError(.notUsable) {
                    try await last.execute(FastCGIRequest(.get, "/crash"), body: nothing) { _ = try await $0.collect() }
                }
                await worker.ended()
            }
        }
    }
}

func expectError(
    _ code: FastCGIConnectionError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async throws {
    do {
        try await body()
        Issue.record("no error where \(code) was expected", sourceLocation: sourceLocation)
    } catch let error as FastCGIConnectionError {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
    }
}
