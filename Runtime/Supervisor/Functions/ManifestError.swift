/// What is wrong with a configuration file, and where.
package struct ManifestError: Error, Hashable, CustomStringConvertible {
    package var file: String
    /// Counted from one.
    package var line: Int?
    package var message: String

    package init(file: String, line: Int? = nil, message: String) {
        self.file = file
        self.line = line
        self.message = message
    }

    package var description: String {
        line.map { "\(file):\($0): \(message)" } ?? "\(file): \(message)"
    }
}
