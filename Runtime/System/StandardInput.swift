import Glibc

package enum StandardInput {
    /// All bytes until the end.
    package static func readToEnd() throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", "standard input") }
            if count == 0 { return bytes }
            bytes += chunk.prefix(count)
        }
    }
}
