import ArgumentParser
import SwiftletSystem

/// `--port PORT` or `--listen ADDRESS:PORT`: where nginx listens.
struct ListenOption: ParsableArguments {
    @Option(help: "The port that nginx listens on, at every IPv4 address of this machine (default: 8080).")
    private var port: ListenAddress?

    @Option(help: "In place of --port: the address and port that nginx listens on, such as 127.0.0.1:8080 or '[::1]:8080'.")
    private var listen: ListenAddress?

    var address: ListenAddress { listen ?? port ?? ListenAddress(port: 8080) }

    func validate() throws {
        guard listen == nil || port == nil else { throw ValidationError("Give --port or --listen, not both.") }
        if let port, port.host != nil { throw ValidationError("--port takes a number. For an address, give '--listen \(port)' instead.") }
    }
}

extension ListenAddress: ExpressibleByArgument {}
