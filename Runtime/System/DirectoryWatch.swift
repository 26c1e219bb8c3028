import Dispatch
import Glibc
import SystemPackage

/// Tells when something changes directly in a folder (Linux inotify); what has changed is for the listener to find out.
package final class DirectoryWatch: Sendable {
    private let descriptor: FileDescriptor
    nonisolated(unsafe) private let source: any DispatchSourceRead  // set once, and cancelled at the end

    /// Files written and closed, created, renamed, removed, or whose rights changed.
    private static let changes = UInt32(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB)

    /// - Parameter changed: called for each batch of changes, on a queue of its own.
    /// - Throws: ``SystemError`` when the system has no more watches to give.
    package init(_ changed: @escaping @Sendable () -> Void) throws {
        let result = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard result >= 0 else { throw SystemError("cannot watch folders", Errno(rawValue: errno)) }
        descriptor = FileDescriptor(rawValue: result)
        source = DispatchSource.makeReadSource(fileDescriptor: result, queue: DispatchQueue(label: "directory watch"))
        source.setEventHandler {
            var events = [UInt8](repeating: 0, count: 1 << 14)
            while read(result, &events, events.count) > 0 {}
            changed()
        }
        source.setCancelHandler { close(result) }
        source.activate()
    }

    deinit { source.cancel() }

    /// Watches `folder` from now on, until it is removed. A folder that is watched already stays so.
    /// - Returns: whether it is watched; it is not where it is missing or the user's watches are used up.
    @discardableResult
    package func add(_ folder: String) -> Bool { inotify_add_watch(descriptor.rawValue, folder, Self.changes) >= 0 }
}
