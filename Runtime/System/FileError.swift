import Glibc

/// A file that could not be opened, read, written or renamed.
package struct FileError: Error, Hashable, Sendable {
    /// What was tried: "open", "write", "rename" …
    package let operation: String
    package let path: String
    /// The value of `errno`.
    package let code: Int32

    package init(_ operation: String, _ path: String, code: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// For a person: `Cannot open models/chat.gguf: No such file or directory.`
    package var message: String { "Cannot \(operation) \(path): \(String(cString: strerror(code)))." }
}

extension FileError: CustomStringConvertible {
    package var description: String { message }
}
