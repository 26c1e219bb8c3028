import SystemPackage

/// A system call that failed, told for a person: what was tried, on what, and why it did not work.
package struct SystemError: Error, CustomStringConvertible {
    package let message: String
    package let errno: Errno

    package init(_ doing: String, _ errno: Errno) {
        self.message = "\(doing): \(errno.description)"
        self.errno = errno
    }

    package var description: String { message }
}
