import CSwiftletSystem
import FoundationEssentials
import Glibc
import Logging
import Subprocess
import SwiftletSystem
import SystemPackage

/// How one child of the supervisor is started: always through `swiftlet-launch`, so that it cannot outlive us.
package struct ChildProcess: Sendable {
    /// For messages, for example `generate worker 3`.
    var name: String
    var program: String
    var arguments: [String] = []
    var environment: [String: String]
    var workingDirectory: String
    /// Becomes the child's descriptor 0. Our copy is closed when the child has it, unless `keepsInput`.
    var input: FileDescriptor?
    var keepsInput = false
    /// What it prints is appended to this file.
    var logFile: String
    /// What holds it to its memory; `nil` for no limit.
    var memory: MemoryLimit?
    var confinement = Confinement()
    /// Whether it waits its turn rather than interrupt who wakes it.
    var isBatch = false
    /// What the kernel sends it when we die.
    var signalOnParentDeath: Int32 = SIGKILL
    /// What asks it to end.
    var stopSignal: Int32 = SIGTERM
    /// Between `stopSignal` and SIGKILL.
    var grace: Duration = .seconds(5)

    package init(
        name: String, program: String, arguments: [String] = [], environment: [String: String], workingDirectory: String,
        input: FileDescriptor? = nil, keepsInput: Bool = false, logFile: String, memory: MemoryLimit? = nil,
        confinement: Confinement = Confinement(), isBatch: Bool = false, signalOnParentDeath: Int32 = SIGKILL, stopSignal: Int32 = SIGTERM, grace: Duration = .seconds(5)
    ) {
        self.name = name
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.input = input
        self.keepsInput = keepsInput
        self.logFile = logFile
        self.memory = memory
        self.confinement = confinement
        self.isBatch = isBatch
        self.signalOnParentDeath = signalOnParentDeath
        self.stopSignal = stopSignal
        self.grace = grace
    }

    package enum MemoryLimit: Sendable, Hashable {
        /// Bytes of private data (`RLIMIT_DATA`).
        case privateData(Int)
        case group(MemoryGroups.Group)

        fileprivate var launcherArguments: [String] {
            switch self {
            case .privateData(let bytes): ["--memory", "\(bytes)"]
            case .group(let group): ["--members", group.members]
            }
        }
    }

    private var launcherArguments: [String] {
        ["--parent", "\(getpid())", "--signal", "\(signalOnParentDeath)"] + (memory?.launcherArguments ?? [])
            + confinement.arguments + (isBatch ? ["--batch"] : [])
    }

    package enum Ending: Sendable, Equatable, CustomStringConvertible {
        case exited(Int32)
        case signaled(Int32)
        case notStarted(String)

        package var description: String {
            switch self {
            case .exited(127): "ended: the program was not found"
            case .exited(let code): "exited with code \(code)"
            case .signaled(let signal): "was killed by SIG\(String(cString: swl_signal_name(signal)))"
            case .notStarted(let reason): "could not be started: \(reason)"
            }
        }
    }

    /// Runs the child until it ends. When the calling task is cancelled, the child gets `stopSignal` and, after `grace`, SIGKILL.
    /// Whatever it left in its process group is killed.
    package func run(launcher: String, started: @Sendable (pid_t) -> Void = { _ in }) async -> Ending {
        let log: FileDescriptor
        do {
            log = try FileDescriptor.open(
                FilePath(logFile), .writeOnly, options: [.append, .create, .closeOnExec], permissions: [.ownerReadWrite, .groupRead])
        } catch {
            if let input, !keepsInput { try? input.close() }
            return .notStarted("cannot write its log \(logFile): \(error)")
        }
        defer { try? log.close() }
        do {
            var options = PlatformOptions()
            options.processGroupID = 0
            options.teardownSequence = [.send(signal: Signal(rawValue: stopSignal), allowedDurationToNextStep: grace)]
            let configuration = Subprocess.Configuration(
                executable: .path(FilePath(launcher)),
                arguments: Arguments(launcherArguments + ["--", program] + arguments),
                environment: .custom(
                    environment.reduce(into: [:]) { keyed, variable in
                        if let key = Environment.Key(rawValue: variable.key) { keyed[key] = variable.value }
                    }),
                workingDirectory: FilePath(workingDirectory),
                platformOptions: options)
            let output = FileDescriptorOutput.fileDescriptor(log, closeAfterSpawningProcess: false)
            let input = try self.input ?? FileDescriptor.open("/dev/null", .readOnly, options: .closeOnExec)
            let result = try await Subprocess.run(
                configuration,
                input: .fileDescriptor(input, closeAfterSpawningProcess: self.input == nil || !keepsInput),
                output: output, error: output
            ) { execution in
                started(execution.processIdentifier.value)
                return execution.processIdentifier.value
            }
            kill(-result.closureResult, SIGKILL)
            if case .group(let group) = memory { await group.remove() }
            switch result.terminationStatus {
            case .exited(let code): return .exited(code)
            case .signaled(let signal): return .signaled(signal)
            }
        } catch {
            return .notStarted("\(error)")
        }
    }
}
