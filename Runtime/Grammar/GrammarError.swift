/// A grammar, pattern or schema that is wrong or asks for what is not supported; the message says what and where.
package struct GrammarError: Error, Hashable, Sendable, CustomStringConvertible {
    package let message: String
    package init(_ message: String) { self.message = message }
    package var description: String { message }
}
