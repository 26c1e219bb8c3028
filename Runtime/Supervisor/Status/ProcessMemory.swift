import FoundationEssentials

/// How much memory a process has for itself, as Linux counts it.
enum ProcessMemory {
    /// Bytes in RAM that no other process shares; zero when the process is gone.
    static func ofProcess(_ process: Int32) -> Int {
        guard let data = FileManager.default.contents(atPath: "/proc/\(process)/statm") else { return 0 }
        let pages = String(decoding: data, as: UTF8.self).split(separator: " ").compactMap { Int($0) }
        return pages.count > 2 ? (pages[1] - pages[2]) * 4096 : 0
    }
}
