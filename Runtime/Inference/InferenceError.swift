import SwiftletSystem

/// Why a model cannot be read, or cannot do what was asked.
package struct InferenceError: Error, Hashable, Sendable {
    package enum Code: Hashable, Sendable {
        /// The file is damaged, incomplete, or not what its name says.
        case invalidFile
        /// The file is sound, but needs something that Swiftlet does not have.
        case unsupported
        /// The operating system refused: a missing file, a full disk.
        case system
        /// What the caller asked for makes no sense for this model.
        case invalidRequest
        /// The prompt (and the tokens to come) do not fit the model.
        case contextLengthExceeded(limit: Int, requested: Int)
    }

    package let code: Code
    /// For a person: what is wrong, where, and what to do.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Runs `body`, with errors of the operating system told as this module's.
    static func wrapping<T>(_ body: () throws(FileError) -> T) throws(InferenceError) -> T {
        do {
            return try body()
        } catch {
            throw InferenceError(.system, error.message)
        }
    }

    package static func contextLengthExceeded(limit: Int, requested: Int) -> InferenceError {
        InferenceError(
            .contextLengthExceeded(limit: limit, requested: requested),
            "This model's maximum context length is \(limit) tokens. However, your request has \(requested) tokens.")
    }
}

extension InferenceError: CustomStringConvertible {
    package var description: String { message }
}

extension StringProtocol {
    /// The text in quotes, escaped and cut, for error messages that show what an untrusted file holds.
    var quotedForMessage: String {
        String(prefix(64)).debugDescription + (dropFirst(64).isEmpty ? "" : "…")
    }
}
