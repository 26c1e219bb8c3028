import Foundation

/// How much memory a test takes at the most, and how much time.
package struct Bounds {
    private let before: Int

    package init() {
        // From here on the peak counts anew, where the system allows it.
        try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
        before = (try? Bounds.peak()) ?? 0
    }

    /// Bytes by which the process has grown, at its largest.
    package func growth() throws -> Int { try Bounds.peak() - before }

    /// What this thread has computed, in seconds: other work on the machine does not count.
    package static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func peak() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line.flatMap { Int($0.filter(\.isNumber)) } ?? 0) * 1024
    }
}
