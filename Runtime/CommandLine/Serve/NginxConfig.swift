import ArgumentParser
import SwiftletSystem

struct NginxConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nginx-config",
        abstract: "Print an nginx configuration for this system.",
        discussion: """
            For 'serve --no-nginx' behind an nginx of your own: save it, check it with 'nginx -t -c FILE', start it with 'nginx -c FILE'. \
            That nginx's user must be able to reach the gateway's socket.
            """)

    @OptionGroup var state: StateOption

    @OptionGroup var listen: ListenOption

    func run() throws {
        print(try NginxService.configuration(listen: listen.address, state: state.directory, isOwn: false), terminator: "")
    }
}
