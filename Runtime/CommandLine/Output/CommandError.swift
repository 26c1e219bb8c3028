/// Why a command that was given rightly could not be carried out; printed without the usage that goes with wrong arguments.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ message: String) { description = message }
}
