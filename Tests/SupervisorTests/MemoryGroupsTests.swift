import Foundation
import Logging
import Supervisor
import Testing

/// In a folder that looks like a tree of cgroup v2.
@Suite struct MemoryGroupsTests {
    private let root = NSTemporaryDirectory() + "swiftlet-\(UUID().uuidString)"
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func tree(controllers: String = "cpu memory pids\n") throws -> String {
        let folder = "\(root)/system.slice/swiftlet.service"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try controllers.write(toFile: "\(folder)/cgroup.controllers", atomically: false, encoding: .utf8)
        try "".write(toFile: "\(folder)/cgroup.subtree_control", atomically: false, encoding: .utf8)
        return folder
    }

    private func groups(_ membership: String = "12:pids:/x\n0::/system.slice/swiftlet.service\n") -> MemoryGroups? {
        MemoryGroups(root: root, membership: membership, logger: logger)
    }

    private func text(_ file: String) -> String? { try? String(contentsOfFile: file, encoding: .utf8) }

    @Test func `A worker's group is made below ours, with its limit`() throws {
        let folder = try tree()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let made = try #require(groups())
        // We leave the group that gets members of its own, and only then it gives memory on.
        #expect(text("\(folder)/swiftlet-serve/cgroup.procs") == "0")
        #expect(text("\(folder)/cgroup.subtree_control") == "+memory")
        let group = try made.make("hello-3", memory: 1 << 28)
        #expect(group.members == "\(folder)/swiftlet-worker-hello-3/cgroup.procs")
        for (file, value) in [("memory.max", "268435456"), ("memory.swap.max", "0"), ("memory.oom.group", "1")] {
            #expect(text("\(folder)/swiftlet-worker-hello-3/\(file)") == value)
        }
    }

    @Test func `What ends is killed and removed, and so is what a run before has left`() async throws {
        let folder = try tree()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let group = try #require(groups()).make("hello-3", memory: 1 << 28)
        await group.remove()
        #expect(text("\(folder)/swiftlet-worker-hello-3/cgroup.kill") == "1")
        try FileManager.default.createDirectory(atPath: "\(folder)/swiftlet-worker-left", withIntermediateDirectories: true)
        #expect(groups() != nil)
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/swiftlet-worker-left"))
    }

    @Test(arguments: ["", "12:memory:/x\n", "0::/\n", "0::/system.slice/other.service\n"])
    func `Without a subtree of ours there are no groups`(membership: String) throws {
        _ = try tree()
        defer { try? FileManager.default.removeItem(atPath: root) }
        #expect(groups(membership) == nil)
    }

    @Test func `Nor without the memory controller, or where nothing may be written`() throws {
        let folder = try tree(controllers: "cpu pids\n")
        defer { try? FileManager.default.removeItem(atPath: root) }
        #expect(groups() == nil && !FileManager.default.fileExists(atPath: "\(folder)/swiftlet-serve"))
        _ = try tree()
        // A file where the group would be.
        try Data().write(to: URL(filePath: "\(folder)/swiftlet-serve"))
        #expect(groups() == nil)
    }
}
