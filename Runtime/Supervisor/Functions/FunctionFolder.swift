import FoundationEssentials
import Glibc
import Mustache

/// A folder in the functions directory, as one look sees it.
package struct FunctionFolder: Hashable, Sendable {
    /// The folder's name, by which the function is known to the command line.
    package let name: String
    /// Absolute path.
    package let path: String
    /// Changes whenever something directly in the folder is written, replaced, added or removed.
    package let stamp: String

    /// Every folder in `directory`, by name. Names that begin with a dot are being prepared and do not count.
    package static func list(_ directory: String) -> [FunctionFolder] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { !$0.hasPrefix(".") && isDirectory("\(directory)/\($0)") }.sorted()
            .map { FunctionFolder(name: $0, path: "\(directory)/\($0)") }
    }

    package init(name: String, path: String) {
        self.name = name
        self.path = path
        self.stamp = Self.stamp(of: path)
    }

    /// Reads the manifest and checks that what it names is there.
    /// - Parameter models: the model aliases there are.
    /// - Throws: ``ManifestError``.
    package func manifest(models: Set<String>) throws -> FunctionManifest {
        let manifest = try FunctionManifest(folder: path, defaultName: name.lowercased(), models: models)
        let file = "\(path)/function.yaml"
        switch manifest.handler {
        case .program(let words) where words[0].contains("/"):
            let program = words[0].hasPrefix("/") ? words[0] : "\(path)/\(words[0])"
            guard access(program, X_OK) == 0, !Self.isDirectory(program) else {
                throw ManifestError(file: file, message: "the handler \(words[0]) is missing or not executable (chmod +x)")
            }
        case .program(let words):
            let places = (manifest.environment["PATH"] ?? ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
            guard places.contains(where: { access("\($0)/\(words[0])", X_OK) == 0 }) else {
                throw ManifestError(file: file, message: "the handler \(words[0]) is not found in PATH; a file of the function is './\(words[0])'")
            }
        case .prompt(let template):
            guard let text = FileManager.default.contents(atPath: "\(path)/\(template)") else {
                throw ManifestError(file: file, message: "the template \(template) is missing")
            }
            do {
                _ = try MustacheTemplate(string: String(decoding: text, as: UTF8.self))
            } catch let error as MustacheTemplate.ParserError {
                throw ManifestError(
                    file: "\(path)/\(template)", line: error.context.lineNumber, message: "does not parse: \(error.error)")
            }
        }
        if let script = manifest.script, access("\(path)/\(script)", R_OK) != 0 {
            throw ManifestError(file: file, message: "the script \(script) is missing")
        }
        return manifest
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Names, inodes, sizes and times of the folder's direct content, hashed (FNV-1a). What lies deeper does not count,
    /// so that a folder with a package tree in it stays cheap to watch; touch `function.yaml` to deploy a deep change.
    private static func stamp(of path: String) -> String {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for name in names {
            var status = stat()
            guard stat("\(path)/\(name)", &status) == 0 else { continue }
            let facts = "\(name)/\(status.st_ino)/\(status.st_size)/\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)/\(status.st_mode);"
            for byte in facts.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        return String(hash, radix: 16)
    }
}

/// What only one function can have: its name and its routes.
package struct Claims: Sendable {
    private var owners: [String: String] = [:]

    package init(reserved: [Route]) {
        for route in reserved { owners[Self.claim(route)] = "Swiftlet itself" }
    }

    package mutating func take(_ manifest: FunctionManifest, for owner: String) {
        for claim in Self.claims(of: manifest) { owners[claim] = "the function '\(owner)'" }
    }

    /// - Throws: ``ManifestError`` when another owner has the name or a route of `manifest`.
    package func check(_ manifest: FunctionManifest, file: String) throws {
        for claim in Self.claims(of: manifest) {
            if let owner = owners[claim] { throw ManifestError(file: file, message: "\(claim) is taken by \(owner)") }
        }
    }

    private static func claims(of manifest: FunctionManifest) -> [String] {
        ["the name '\(manifest.name)'"] + manifest.routes.map(claim)
    }

    private static func claim(_ route: Route) -> String { "the route '\(route.method) /\(route.shape)'" }
}

extension Route {
    /// The path with every parameter's name left out: two routes of one shape match the same requests.
    package var shape: String {
        path.split(separator: "/").map { $0.hasPrefix("{") ? "{}" : String($0) }.joined(separator: "/")
    }
}
