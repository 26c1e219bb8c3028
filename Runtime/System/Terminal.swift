import Glibc

package enum Terminal {
    /// Whether standard error is a terminal, where a person is looking.
    package static var isStandardError: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes at once, without a line break; a terminal that is gone is no error.
    package static func writeError(_ text: String) {
        _ = write(STDERR_FILENO, text, text.utf8.count)
    }
}
