import FoundationEssentials
import Glibc

/// Why a command that was given rightly could not be carried out; printed without the usage that goes with wrong arguments.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ message: String) { description = message }
}

extension Error {
    /// The system's words where there are any.
    var reason: String {
        guard let underlying = (self as? CocoaError)?.underlying as? POSIXError else { return "\(self)" }
        return String(cString: strerror(underlying.code.rawValue))
    }
}
