import FoundationEssentials
import Glibc
import Mustache

/// A folder in the functions directory, as one scan sees it.
package struct FunctionFolder: Sendable {
    /// Absolute path.
    package let path: String
    /// Changes whenever something directly in the folder is written, replaced, added or removed.
    package let fingerprint: String
    /// What it says of itself, or what is wrong with it.
    package let manifest: Result<FunctionManifest, ManifestError>

    /// Every function in `directory`, by folder name. Names that begin with a dot are being prepared and do not count.
    /// - Parameters:
    ///   - reserved: routes that no function can have.
    ///   - models: the model aliases there are.
    package static func scan(_ directory: String, reserved: [Route], models: Set<String>) -> [FunctionFolder] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        let folders = names.filter { !$0.hasPrefix(".") }.sorted().map { "\(directory)/\($0)" }.filter(isDirectory)
        var owners = Dictionary(reserved.map { (claim($0), "Swiftlet itself") }) { $1 }
        return folders.map { path in
            let manifest = Result { try read(path, models: models, owners: &owners) }
                .mapError { $0 as? ManifestError ?? ManifestError(file: path, message: "\($0)") }
            return FunctionFolder(path: path, fingerprint: fingerprint(of: path), manifest: manifest)
        }
    }

    /// Reads the manifest and checks what it names: files that exist, a name and routes that no earlier folder has.
    private static func read(_ path: String, models: Set<String>, owners: inout [String: String]) throws -> FunctionManifest {
        let manifest = try FunctionManifest(folder: path, models: models)
        let file = "\(path)/function.yaml"
        switch manifest.handler {
        case .program(let words) where words[0].contains("/"):
            let program = words[0].hasPrefix("/") ? words[0] : "\(path)/\(words[0])"
            guard access(program, X_OK) == 0, !isDirectory(program) else {
                throw ManifestError(file: file, message: "the handler \(words[0]) is missing or not executable (chmod +x)")
            }
        case .program: break
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
        let claims = ["the name '\(manifest.name)'"] + manifest.routes.map(claim)
        for claim in claims {
            if let owner = owners[claim] { throw ManifestError(file: file, message: "\(claim) is taken by \(owner)") }
        }
        for claim in claims { owners[claim] = path }
        return manifest
    }

    private static func claim(_ route: Route) -> String { "the route '\(route.method) /\(route.shape)'" }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Names, inodes, sizes and times of the folder's direct content, hashed (FNV-1a). What lies deeper does not count,
    /// so that a folder with a package tree in it stays cheap to watch; write `function.yaml` anew to deploy a deep change.
    private static func fingerprint(of path: String) -> String {
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

extension Route {
    /// The path with every parameter's name left out: two routes of one shape match the same requests.
    package var shape: String {
        path.split(separator: "/").map { $0.hasPrefix("{") ? "{}" : String($0) }.joined(separator: "/")
    }
}
