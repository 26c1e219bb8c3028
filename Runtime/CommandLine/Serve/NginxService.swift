import FoundationEssentials
import Front
import Glibc
import Logging
import Nginx
import ServiceLifecycle
import Supervisor
import SwiftletSystem

/// nginx as a child of `serve`.
struct NginxService: Service {
    let state: StateDirectory
    let programs: Programs
    let listen: ListenAddress
    /// What its connections have to finish.
    let drainTimeout: Duration
    let logger: Logger

    func run() async throws {
        let file = "\(state.nginx)/nginx.conf"
        try Self.configuration(listen: listen, state: state, isOwn: true).write(toFile: file, atomically: true, encoding: .utf8)
        let child = ChildProcess(
            name: "nginx", program: "nginx", arguments: ["-c", file, "-p", state.nginx, "-e", "\(state.nginx)/error.log", "-g", "daemon off;"],
            environment: ["PATH": (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"],
            workingDirectory: state.nginx, logFile: "\(state.log)/nginx.log",
            // Else it interrupts the gateway at every answer, which costs a seventh of all requests under load. Where all processors are
            // busy, an answer comes half a millisecond later.
            isBatch: true,
            // nginx's workers outlive a killed master; on SIGTERM it ends them.
            signalOnParentDeath: SIGTERM, stopSignal: SIGQUIT, grace: drainTimeout)
        try await cancelWhenGracefulShutdown {
            let ending = await child.run(launcher: programs.launcher) { pid in
                logger.info("nginx listens on \(listen.name)", metadata: ["pid": "\(pid)"])
                if geteuid() == 0, let closed = FileStatus.closedFolder(above: Gateway.socket(in: state)) {
                    logger.notice("nginx's workers run as root, because \(closed) is closed to other users")
                }
            }
            guard Task.isCancelled else { throw NginxEnded(message: "nginx \(ending); see \(state.log)/nginx.log and \(state.nginx)/error.log") }
        }
    }

    /// The configuration that `serve` runs, or one for a system's own nginx.
    static func configuration(listen: ListenAddress, state: StateDirectory, isOwn: Bool) throws -> String {
        var configuration = NginxConfiguration(
            listen: listen, gateway: Gateway.socket(in: state), largestBody: FunctionManifest.largestBody,
            folder: isOwn ? state.nginx : nil,
            user: isOwn && geteuid() == 0 ? account(for: state)?.name ?? "root" : nil)
        configuration.files = OpenFiles.raiseLimit()
        return try configuration.text()
    }

    /// Whom nginx's workers run as where we are root; `nil` where they stay who we are, as they must below a folder that is closed
    /// to others: they would not reach the gateway's socket.
    static func account(for state: StateDirectory) -> Account? {
        guard geteuid() == 0, FileStatus.closedFolder(above: Gateway.socket(in: state)) == nil else { return nil }
        return Account(firstOf: "www-data", "nginx")
    }
}

struct NginxEnded: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
}
