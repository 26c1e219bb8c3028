import FoundationEssentials

/// Where one running system keeps everything: `--state DIR`, `SWIFTLET_STATE`, or `.swiftlet`.
///
/// ```
/// ledger.sqlite  token.key  models.yaml  prices.yaml  swiftlet.yaml
/// ledger.sqlite-tallies/  what running hosts have counted
/// response-cache.sqlite   answers that may be given again
/// models/     GGUF files
/// functions/  one folder per function; drop one in and it serves
/// versions/   what was taken from there, by function and version: what workers run
/// data/       one private folder per function
/// scratch/    one for each function's temporary files, empty when nothing runs
/// log/        what functions, hosts and nginx print
/// nginx/      the configuration in use and nginx's temporary files
/// run/        sockets; empty when nothing runs
/// ```
package struct StateDirectory: Hashable, Sendable {
    /// Absolute path without a trailing slash.
    package let path: String

    package init(_ path: String) {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        let standardized = URL(filePath: absolute).standardized.path(percentEncoded: false)
        self.path = standardized.count > 1 && standardized.hasSuffix("/") ? String(standardized.dropLast()) : standardized
    }

    package var ledger: String { "\(path)/ledger.sqlite" }
    /// Answers that may be given again; may be deleted while nothing runs.
    package var responseCache: String { "\(path)/response-cache.sqlite" }
    /// The secret that signs invocation tokens: 32 random bytes, mode 0600.
    package var tokenKey: String { "\(path)/token.key" }
    package var modelsFile: String { "\(path)/models.yaml" }
    package var pricesFile: String { "\(path)/prices.yaml" }
    package var settingsFile: String { "\(path)/swiftlet.yaml" }
    package var models: String { "\(path)/models" }
    package var functions: String { "\(path)/functions" }
    package var log: String { "\(path)/log" }
    package var nginx: String { "\(path)/nginx" }
    /// Where sockets are: `run` in the state directory, or a private folder with a short name when that path is too long for a socket.
    package var run: String {
        let inside = "\(path)/run"
        // The longest socket name is a function's name (40 characters), a dash, a serial number and ".sock".
        guard inside.utf8.count + 56 > UnixSocket.maximumPathLength else { return inside }
        // FNV-1a: the same folder for the same path in every process.
        let hash = path.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return "/tmp/swiftlet-\(String(hash, radix: 16))"
    }
    /// Where `serve` takes commands.
    package var controlSocket: String { "\(run)/control.sock" }
    package func versions(of function: String) -> String { "\(path)/versions/\(function)" }
    package func scratch(of function: String) -> String { "\(path)/scratch/\(function)" }
    package func data(of function: String) -> String { "\(path)/data/\(function)" }
}
