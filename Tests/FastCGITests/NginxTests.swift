import FastCGI
import Foundation
import Glibc
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

/// Runs nginx in front of a FastCGI server for the time of `body`. It listens on a unix socket; `/buffered/…` and
/// `/direct/…` are passed on with and without nginx's buffers.
private func withNginx(_ router: Router<ChannelContext>, _ body: (_ socket: String) async throws -> Void) async throws {
    try await withServer(router) { server, _ in
        let folder = URL(fileURLWithPath: server).deletingLastPathComponent().path
        let configuration = """
            daemon off; worker_processes 1; pid \(folder)/pid; error_log \(folder)/log;
            events {}
            http {
                access_log off; client_max_body_size 20m;
                client_body_temp_path \(folder)/b; fastcgi_temp_path \(folder)/f; proxy_temp_path \(folder)/p;
                uwsgi_temp_path \(folder)/u; scgi_temp_path \(folder)/s2;
                upstream swiftlet { server unix:\(server); keepalive 4; }
                fastcgi_keep_conn on;
                fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;
                fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
                fastcgi_param REQUEST_SCHEME $scheme; fastcgi_param REMOTE_ADDR $remote_addr;
                server {
                    listen unix:\(folder)/n;
                    location /buffered/ { fastcgi_pass swiftlet; }
                    location /direct/ { fastcgi_pass swiftlet; fastcgi_buffering off; fastcgi_request_buffering off; }
                }
            }
            """
        try configuration.write(toFile: "\(folder)/conf", atomically: true, encoding: .utf8)
        let nginx = try Command(["nginx", "-c", "\(folder)/conf", "-e", "\(folder)/log"])
        while !FileManager.default.fileExists(atPath: "\(folder)/n") { try await Task.sleep(for: .milliseconds(5)) }
        let result: Result<Void, any Error>
        do { result = .success(try await body("\(folder)/n")) } catch { result = .failure(error) }
        nginx.kill(SIGTERM)
        await nginx.ended()
        try result.get()
    }
}

private func curl(_ socket: String, _ arguments: [String]) throws -> Command {
    try Command(["curl", "-sSN", "--unix-socket", socket] + arguments)
}

/// The server behind the Web server that it is made for.
@Suite(.enabled(if: succeeds("nginx -v && curl -V")), .timeLimit(.minutes(2))) struct NginxTests {
    @Test(arguments: ["buffered", "direct"]) func bodiesGoBothWays(location: String) async throws {
        let router = Router(context: ChannelContext.self)
        // Once a response has begun, nginx sends no more of the request's body.
        router.post(":location/echo") { request, _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: try await request.body.collect(upTo: 20_000_000)))
        }
        try await withNginx(router) { socket in
            for count in [0, 1, 65_535, 65_536, 10_000_000] {
                let sent = Data(pattern(count).readableBytesView)
                let file = socket + "-body"
                try sent.write(to: URL(fileURLWithPath: file))
                for framing in [["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"]] {
                    let received = try await curl(socket, framing + ["--data-binary", "@\(file)", "http://x/\(location)/echo"]).allOutput()
                    // Not a comparison that #expect sees: it would look for the difference in megabytes.
                    let isEqual = received == sent
                    #expect(isEqual, "\(received.count) of \(count) bytes")
                }
            }
        }
    }

    @Test func theRequestIsTheClientsAndTheConnectionIsNginxs() async throws {
        let router = Router(context: ChannelContext.self)
        let name = HTTPField.Name("x-answer")!
        router.get("buffered/**") { request, context in
            let headers = request.headers.map { "\($0.name.canonicalName): \($0.value)" }.sorted().joined(separator: "\n")
            let head = [request.method.rawValue, request.head.scheme, request.head.authority, request.head.path].compactMap { $0 }
            let text = "\(head.joined(separator: " "))\n\(headers)\n\(ObjectIdentifier(context.channel as AnyObject))"
            return Response(
                status: .init(code: 418, reasonPhrase: "I am a teapot"), headers: [name: "42", .setCookie: "a", .setCookie: "b"],
                body: .init(byteBuffer: ByteBuffer(string: text)))
        }
        try await withNginx(router) { socket in
            let arguments = [
                "-i", "-A", "test", "-H", "X-Swiftlet-Remote-Addr: 6.6.6.6", "-H", "Connection: close", "-H", "X-Two: 1", "-H", "X-Two: 2",
                "http://example.org/buffered/a%20b?c=%20",
            ]
            var answers: [[String]] = []
            for _ in 0..<3 {
                let answer = String(decoding: try await curl(socket, arguments).allOutput(), as: UTF8.self)
                answers.append(answer.components(separatedBy: "\r\n\r\n"))
            }
            try #require(answers.allSatisfy { $0.count == 2 })
            #expect(answers[0][0].hasPrefix("HTTP/1.1 418 I am a teapot\r\n"))
            #expect(answers[0][0].contains("\r\nx-answer: 42\r\n") && answers[0][0].contains("\r\nSet-Cookie: a\r\nSet-Cookie: b"))
            let lines = answers[0][1].components(separatedBy: "\n")
            #expect(lines.dropLast() == [
                "GET http example.org /buffered/a%20b?c=%20", "accept: */*", "user-agent: test", "x-swiftlet-remote-addr: unix:",
                "x-two: 1", "x-two: 2",
            ])
            // The same channel, although each client asked to close its connection.
            #expect(Set(answers.map { $0[1] }).count == 1)
        }
    }

    @Test func eventsArriveOneByOne() async throws {
        let received = (0..<3).map { _ in Signal() }
        let router = Router(context: ChannelContext.self)
        router.get("direct/events") { _, _ in
            Response(status: .ok, headers: [.contentType: "text/event-stream"], body: ResponseBody { writer in
                for (index, signal) in received.enumerated() {
                    try await writer.write(ByteBuffer(string: "data: \(index)\n\n"))
                    await signal.wait()
                }
                try await writer.finish(nil)
            })
        }
        try await withNginx(router) { socket in
            var index = 0
            for await data in try curl(socket, ["http://x/direct/events"]).output {
                #expect(String(decoding: data, as: UTF8.self) == "data: \(index)\n\n")
                received[index].send()
                index += 1
            }
            #expect(index == 3)
        }
    }

    @Test(arguments: ["buffered", "direct"]) func aHangUpOfTheClientReachesTheHandler(location: String) async throws {
        let (started, cancelled) = (Signal(), Signal())
        let router = Router(context: ChannelContext.self)
        router.post(":location/hang") { request, _ in
            Response(status: .ok, body: ResponseBody { writer in
                defer { cancelled.send() }
                try await writer.write(ByteBuffer(string: "here"))
                started.send()
                try await request.body.consumeWithCancellationOnInboundClose { _ in try await Task.sleep(for: .seconds(3600)) }
            })
        }
        try await withNginx(router) { socket in
            let client = try curl(socket, ["-d", "x", "http://x/\(location)/hang"])
            await started.wait()
            client.kill()
            await cancelled.wait()
        }
    }

    @Test(arguments: ["buffered", "direct"]) func aResponseThatBreaksOffIsSeenToBreakOff(location: String) async throws {
        struct Failure: Error {}
        let received = Signal()
        let router = Router(context: ChannelContext.self)
        router.get(":location/fail") { _, _ in
            Response(status: .ok, body: ResponseBody { writer in
                try await writer.write(ByteBuffer(repeating: 1, count: 100_000))
                await received.wait()
                throw Failure()
            })
        }
        try await withNginx(router) { socket in
            let client = try curl(socket, ["http://x/\(location)/fail"])
            var count = 0
            for await data in client.output {
                count += data.count
                received.send()
            }
            #expect(0 < count && count <= 100_000)
            // CURLE_PARTIAL_FILE, or CURLE_RECV_ERROR: the last chunk is missing.
            #expect([18, 56].contains(await client.ended()))
        }
    }

    @Test func manyClientsAtOnce() async throws {
        let router = Router(context: ChannelContext.self)
        router.get("buffered/:number") { _, context in try context.parameters.require("number") + "\n" }
        try await withNginx(router) { socket in
            let client = try curl(socket, ["--parallel", "--parallel-max", "64", "http://x/buffered/[1-500]"])
            let numbers = String(decoding: await client.allOutput(), as: UTF8.self).split(separator: "\n").compactMap { Int($0) }
            #expect(numbers.sorted() == Array(1...500))
            #expect(await client.ended() == 0)
        }
    }
}
