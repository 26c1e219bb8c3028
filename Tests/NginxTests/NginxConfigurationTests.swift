import Nginx
import SwiftletSystem
import Testing

/// nginx itself reads whole configurations in Tests/EndToEnd.
@Suite struct NginxConfigurationTests {
    @Test(arguments: ["8080", "127.0.0.1:8080", "0.0.0.0:1", "[::1]:8080", "[::]:65535"])
    func `an address is written as it was given, and nginx listens there alone`(text: String) throws {
        let address = try #require(ListenAddress(text))
        #expect("\(address)" == text)
        let configuration = NginxConfiguration(listen: address, gateway: "/run/gateway.sock", largestBody: 1 << 20)
        let lines = try configuration.text().split(separator: "\n").map { $0.drop { $0 == " " } }
        #expect(lines.filter { $0.hasPrefix("listen ") } == ["listen \(text) backlog=4096;"])
    }

    @Test(arguments: [
        "", ":", "0", "65536", "-1", "many", "localhost:8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0:8080", ":8080", "::1:8080",
        "[127.0.0.1]:8080", "[::1]", "[]:8080", "8080 ssl", "127.0.0.1:8080;", "127.0.0.1 :8080", "example.org; return 200;:8080",
    ])
    func `what is no address in numbers is refused`(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test func `paths are quoted, and folder and user are there only where they are given`() throws {
        var configuration = NginxConfiguration(listen: ListenAddress(port: 8080), gateway: #"/a "b"/gateway.sock"#, largestBody: 1 << 20)
        let plain = try configuration.text()
        #expect(plain.contains(#"server "unix:/a \"b\"/gateway.sock";"#))
        #expect(!plain.contains("user ") && !plain.contains("pid "))
        configuration.folder = "/var/lib/swiftlet/nginx"
        configuration.user = "www-data"
        let own = try configuration.text()
        #expect(own.contains("user www-data;") && own.contains(#"pid "/var/lib/swiftlet/nginx/nginx.pid";"#))
    }
}
