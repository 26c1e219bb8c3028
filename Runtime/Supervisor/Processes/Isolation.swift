import CSwiftletSystem
import FoundationEssentials
import Glibc
import Logging
import SwiftletSystem
import Synchronization
import SystemPackage

/// Keeps functions apart from the system and from each other, as far as the kernel and our own rights allow.
///
/// - Where we are root, each function has a user of its own, and each model's socket a group; a function's workers are in the
///   groups of the models it names. The numbers are a thousand per state directory out of 1,400,000,000 to 1,499,999,999, chosen
///   by the directory's path; a function keeps its number, because its data folder belongs to it. A function whose folder or
///   program is closed to other users stays root by name, without root's rights; sockets belong to a user that nobody is.
/// - Where the kernel has Landlock, workers read only their version, the system's programs and libraries and what `isolation` in
///   `function.yaml` grants, write only their data and scratch folders, and use TCP only where it is granted.
final class Isolation: Sendable {
    private let state: StateDirectory
    private let programs: Programs
    private let logger: Logger
    private let hasLandlock: Bool
    /// The first number of ours; `nil` where functions run as the user that we are.
    private let firstUser: UInt32?
    private let numbers = Mutex(Numbers())

    private struct Numbers {
        var users: [String: UInt32] = [:]
        var groups: [String: UInt32] = [:]
        /// Functions that were said to run as root.
        var powerless: Set<String> = []
    }

    private static let functionsPerState: UInt32 = 500
    /// The group that nobody is in.
    private static let nobody: UInt32 = 999

    /// - Parameter logger: is told what cannot be had here.
    init(state: StateDirectory, programs: Programs, logger: Logger) {
        self.state = state
        self.programs = programs
        let version = swl_landlock_version()
        hasLandlock = version > 0
        switch version {
        case ..<1: logger.notice("this kernel has no Landlock: functions may read whatever their user may, and use the network")
        case ..<4: logger.notice("this kernel's Landlock (version \(version)) cannot hold back TCP: functions may use the network")
        default: break
        }
        self.logger = logger
        firstUser = Self.firstUser(state, logger)
    }

    private static func firstUser(_ state: StateDirectory, _ logger: Logger) -> UInt32? {
        guard geteuid() == 0 else {
            logger.notice("not started by root: functions run as this user and could connect to each other's sockets")
            return nil
        }
        let place = state.path.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } % 100_000
        let first = 1_400_000_000 + UInt32(place) * 1000
        guard isMapped(first) else {
            logger.notice("this container has no users to give away: functions run as root and could connect to each other's sockets")
            return nil
        }
        return first
    }

    /// Whether this user namespace has the user and all after it that we would give away.
    private static func isMapped(_ first: UInt32) -> Bool {
        let map = FileManager.default.contents(atPath: "/proc/self/uid_map").map { String(decoding: $0, as: UTF8.self) } ?? ""
        return map.split(separator: "\n").contains { line in
            let fields = line.split(separator: " ").compactMap { UInt64($0) }
            return fields.count == 3 && fields[0] <= UInt64(first) && UInt64(first) + 1000 <= fields[0] + fields[2]
        }
    }

    // MARK: Folders and sockets

    /// Makes the folders of a function and gives them to its user.
    /// - Throws: ``SystemError``.
    func prepare(_ manifest: FunctionManifest, in folder: String) throws {
        let function = manifest.name
        for folder in [state.data(of: function), state.scratch(of: function)] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        guard firstUser != nil else { return }
        guard let user = user(of: function) else {
            throw SystemError("no user is left for the function '\(function)': \(Self.functionsPerState) functions have one", .resourceTemporarilyUnavailable)
        }
        let closed = closedFolder(for: manifest, in: folder)
        if let closed, numbers.withLock({ $0.powerless.insert(function).inserted }) {
            logger.notice("'\(function)' runs as root without root's rights, and not as a user of its own, because \(closed) is closed to other users")
        }
        let owner = closed == nil ? user : 0
        for folder in [state.data(of: function), state.scratch(of: function)] where Self.owner(of: folder) != owner {
            try Self.give(folder, to: owner)
        }
        // Versions stay root's; only this function's user may enter.
        let versions = folder.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
        guard chown(versions, 0, user) == 0, chmod(versions, 0o750) == 0 else {
            throw SystemError("cannot give \(versions) to its function", .init(rawValue: errno))
        }
    }

    /// The first folder on the way to what the function needs that other users cannot pass.
    private func closedFolder(for manifest: FunctionManifest, in folder: String) -> String? {
        let version = folder.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
        return ([version, state.run] + programPaths(of: manifest)).lazy.compactMap(FileStatus.closedFolder(above:)).first
    }

    /// Opens the socket of `model` to the functions that name it.
    func open(_ socket: String, of model: String) throws {
        guard let group = group(of: model) else { return }
        try open(socket, to: group)
    }

    /// Opens the gateway's internal socket to functions, which show an invocation's token there.
    func openInternal(_ socket: String) throws {
        guard let firstUser else { return }
        try open(socket, to: firstUser)
    }

    /// Closes a socket to everyone but us.
    func close(_ socket: String) throws {
        guard let firstUser else { return }
        try Self.give(socket, owner: firstUser, group: firstUser + Self.nobody, mode: 0o600)
    }

    private func open(_ socket: String, to group: UInt32) throws {
        guard let firstUser else { return }
        try Self.give(socket, owner: firstUser, group: group, mode: 0o660)
    }

    private static func give(_ socket: String, owner: UInt32, group: UInt32, mode: mode_t) throws {
        guard chown(socket, owner, group) == 0, chmod(socket, mode) == 0 else {
            throw SystemError("cannot give \(socket) to its users", .init(rawValue: errno))
        }
    }

    // MARK: Workers

    /// What the workers of a function may reach.
    func confinement(of manifest: FunctionManifest, in folder: String) -> Confinement {
        var confinement = Confinement()
        if let user = user(of: manifest.name), let firstUser {
            confinement.isPowerless = closedFolder(for: manifest, in: folder) != nil
            confinement.user = confinement.isPowerless ? nil : user
            confinement.groups = [firstUser] + Set(manifest.models).sorted().compactMap(group)
        }
        if hasLandlock {
            confinement.readable = Self.systemFolders + [folder] + programFolders(of: manifest) + manifest.isolation.read
            confinement.writable = Self.devices + [state.data(of: manifest.name), state.scratch(of: manifest.name)] + manifest.isolation.write
            confinement.network = manifest.isolation.network
        }
        return confinement
    }

    /// libdispatch ends a process whose threads it cannot find in /proc; what is secret there is not for other users.
    private static let systemFolders = [
        "/proc",
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/nix/store", "/sys/devices/system/cpu",
        "/run/systemd/resolve", "/dev/random", "/dev/urandom",
    ]
    private static let devices = ["/dev/null", "/dev/zero", "/dev/full"]

    /// Where the handler's program is installed, with what belongs to it: for `/opt/x/bin/python`, `/opt/x`.
    private func programFolders(of manifest: FunctionManifest) -> [String] {
        guard case .program = manifest.handler else { return [programs.promptHandler] }
        return programPaths(of: manifest).compactMap { path in
            let folders = path.split(separator: "/").dropLast()
            let installation = folders.last == "bin" ? folders.dropLast() : folders
            return installation.isEmpty ? nil : "/" + installation.joined(separator: "/")
        }
    }

    /// Where the handler's program is, and where that leads if it is a link; none for a program in the function's own folder.
    private func programPaths(of manifest: FunctionManifest) -> [String] {
        guard case .program(let words) = manifest.handler else { return [programs.promptHandler] }
        var program = words[0]
        if !program.contains("/") {
            let places = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
            program = places.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 } ?? ""
        }
        guard program.hasPrefix("/") else { return [] }
        guard let real = realpath(program, nil) else { return [program] }
        defer { free(real) }
        return [program, String(cString: real)]
    }

    // MARK: Numbers

    /// The user of `function`: the one that its data folder belongs to, or the next free one.
    private func user(of function: String) -> UInt32? {
        guard let firstUser else { return nil }
        return numbers.withLock { numbers in
            if let known = numbers.users[function] { return known }
            let range = firstUser + 1..<firstUser + Self.functionsPerState
            let folders = (try? FileManager.default.contentsOfDirectory(atPath: "\(state.path)/data")) ?? []
            let owners = folders.compactMap { Self.owner(of: state.data(of: $0)) }
            let taken = Set(owners).union(numbers.users.values)
            let own = Self.owner(of: state.data(of: function)).flatMap { range.contains($0) ? $0 : nil }
            numbers.users[function] = own ?? range.first { !taken.contains($0) }
            return numbers.users[function]
        }
    }

    private func group(of model: String) -> UInt32? {
        guard let firstUser else { return nil }
        return numbers.withLock { numbers in
            let next = firstUser + Self.functionsPerState + UInt32(numbers.groups.count)
            let group = numbers.groups[model] ?? next
            numbers.groups[model] = group
            return group
        }
    }

    private static func owner(of path: String) -> UInt32? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_uid : nil
    }

    /// Gives `path` and all below it to `user`, and to nobody else.
    private static func give(_ path: String, to user: UInt32) throws {
        for name in (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? [] { lchown("\(path)/\(name)", user, user) }
        guard lchown(path, user, user) == 0, chmod(path, 0o700) == 0 else {
            throw SystemError("cannot give \(path) to its function", .init(rawValue: errno))
        }
    }
}
