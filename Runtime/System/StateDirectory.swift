import FoundationEssentials

/// Where one running system keeps everything: `--state DIR`, `SWIFTLET_STATE`, or `.swiftlet`.
///
/// ```
/// ledger.sqlite  token.key  models.yaml  prices.yaml
/// models/     GGUF files
/// functions/  one folder per function; drop one in and it serves
/// data/       one private folder per function
/// log/        what functions, hosts and nginx print
/// nginx/      the configuration in use and nginx's temporary files
/// run/        sockets; empty when nothing runs
/// ```
public struct StateDirectory: Hashable, Sendable {
    /// Absolute path without a trailing slash.
    public let path: String

    public init(_ path: String) {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        let standardized = URL(filePath: absolute).standardized.path(percentEncoded: false)
        self.path = standardized.count > 1 && standardized.hasSuffix("/") ? String(standardized.dropLast()) : standardized
    }

    public var ledger: String { "\(path)/ledger.sqlite" }
    /// The secret that signs invocation tokens: 32 random bytes, mode 0600.
    public var tokenKey: String { "\(path)/token.key" }
    public var modelsFile: String { "\(path)/models.yaml" }
    public var pricesFile: String { "\(path)/prices.yaml" }
    public var models: String { "\(path)/models" }
    public var functions: String { "\(path)/functions" }
    public var log: String { "\(path)/log" }
    public var nginx: String { "\(path)/nginx" }
    public func data(of function: String) -> String { "\(path)/data/\(function)" }
}
