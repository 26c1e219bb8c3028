import ArgumentParser
import Crypto
import FoundationEssentials
import HTTPClient
import Inference
import SwiftletSystem

struct PullModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Download a GGUF file into the system's models folder.",
        discussion: "A download that was cut off goes on where it stopped when the command is given again. Prints the new file's path.")

    @Argument(help: "https://, http:// or file:// address of the file.")
    var url: String

    @Option(help: "The SHA-256 sum that the file must have, in hexadecimal.")
    var sha256: String?

    @Option(help: "The model's name (default: the file's name in the address).")
    var name: String?

    @OptionGroup var alias: AliasOption
    @OptionGroup var state: StateOption

    func validate() throws {
        guard let sha256, sha256.count != 64 || !sha256.allSatisfy(\.isHexDigit) else { return }
        throw ValidationError("--sha256 takes 64 hexadecimal digits.")
    }

    func run() async throws {
        let name = name ?? defaultName
        let path = try ModelFolder.place(for: name, in: state.directory)
        // It gets its name only when it is known to be the right file.
        let unchecked = path + ".unchecked"
        let bar = ProgressBar("Downloading \(name)")
        try await HTTPClient.download(url, to: unchecked) { bar.show(bytes: $0.received, of: $0.total) }
        bar.finish()
        do {
            try check(unchecked)
        } catch {
            try? FileManager.default.removeItem(atPath: unchecked)
            throw error
        }
        try AtomicFile.rename(unchecked, to: path)
        try alias.set(to: path, in: state.directory)
        print(path)
    }

    /// - Throws: an error if the file is not what was asked for, or no model.
    private func check(_ path: String) throws {
        if let sha256 {
            let file = try MappedFile(path: path)
            let sum = withExtendedLifetime(file) { SHA256.hash(data: file.bytes) }
            let text = sum.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            guard text == sha256.lowercased() else {
                throw CommandError("The file at \(url) has the SHA-256 sum \(text), not the one that was asked for. It was not kept.")
            }
        }
        _ = try GGUFFile(path: path)
    }

    private var defaultName: String {
        let path = url.prefix { $0 != "?" && $0 != "#" }
        let file = path.split(separator: "/").last.map(String.init) ?? ""
        return file.hasSuffix(".gguf") ? String(file.dropLast(5)) : file
    }
}
