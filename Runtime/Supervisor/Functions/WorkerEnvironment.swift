import FoundationEssentials
import SwiftletSystem
import Synchronization
import Wire

/// What every worker of this system gets from it: sockets, folders and names.
struct WorkerEnvironment: Sendable {
    let state: StateDirectory
    let programs: Programs
    let isolation: Isolation
    /// `nil` where the kernel gives us none.
    let memoryGroups: MemoryGroups?
    /// Called with the socket of a worker that gets no more requests, because it ended or is about to.
    let closeConnections: @Sendable (_ socket: String) -> Void
    private let serial = Serial()

    private final class Serial: Sendable {
        let next = Atomic<Int>(1)
    }

    init(
        isolation: Isolation, state: StateDirectory, programs: Programs, memoryGroups: MemoryGroups?,
        closeConnections: @escaping @Sendable (String) -> Void
    ) {
        self.isolation = isolation
        self.memoryGroups = memoryGroups
        self.state = state
        self.programs = programs
        self.closeConnections = closeConnections
    }

    /// A number that no other worker of this run has.
    func nextSerial() -> Int { serial.next.add(1, ordering: .relaxed).oldValue }

    func logFile(of function: String) -> String { "\(state.log)/\(function).log" }

    /// Binds the worker's socket and says how to start its process.
    /// - Parameter folder: the version's.
    /// - Throws: ``SystemError`` when the socket cannot be bound or the function's folders or memory group not be made.
    func process(for manifest: FunctionManifest, in folder: String, socket: String) throws -> ChildProcess {
        try isolation.prepare(manifest, in: folder)
        let models = Dictionary(uniqueKeysWithValues: Set(manifest.models).map { ($0, JSON.string(ModelHosts.socket(of: $0, in: state))) })
        var variables = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"]
        variables.merge(manifest.environment) { $1 }
        variables.merge([
            "SWIFTLET_FUNCTION": manifest.name,
            "SWIFTLET_DATA": state.data(of: manifest.name),
            "TMPDIR": state.scratch(of: manifest.name),
            "SWIFTLET_CONCURRENCY": "\(manifest.scale.concurrency)",
            "SWIFTLET_MODELS": String(decoding: try JSON.encode(models), as: UTF8.self),
            "SWIFTLET_GATEWAY": "\(state.run)/internal.sock",
        ]) { $1 }
        var command: [String]
        switch manifest.handler {
        case .program(let words):
            command = words
            // PHP's cache keeps its lock in /tmp, whatever TMPDIR says.
            if manifest.script != nil { command.insert(contentsOf: ["-d", "opcache.lockfile_path=\(state.scratch(of: manifest.name))"], at: 1) }
        case .prompt(let template):
            command = [programs.promptHandler]
            variables["SWIFTLET_PROMPT"] = "\(folder)/\(template)"
        }
        let program = command[0].contains("/") && !command[0].hasPrefix("/") ? "\(folder)/\(command[0])" : command[0]
        let listener = try UnixSocket.listen(at: socket)
        try isolation.close(socket)
        let memory = try manifest.limits.memory.map { bytes in
            try memoryGroups.map { .group(try $0.make("\(manifest.name)-\(nextSerial())", memory: bytes)) } ?? ChildProcess.MemoryLimit.privateData(bytes)
        }
        return ChildProcess(
            name: "worker of \(manifest.name)", program: program, arguments: Array(command.dropFirst()), environment: variables,
            workingDirectory: folder, input: listener, logFile: logFile(of: manifest.name),
            memory: memory, confinement: isolation.confinement(of: manifest, in: folder),
            // Else each request interrupts the gateway that hands it over. A worker that passes on a model's tokens shall not wait behind the
            // threads that make them.
            isBatch: manifest.models.isEmpty)
    }
}
