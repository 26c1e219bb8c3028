import Crypto
import FoundationEssentials
import SystemPackage
import Wire

/// The secret that signs invocation tokens: 32 random bytes in a file that only its owner may read.
package struct TokenKey: Sendable {
    private let key: SymmetricKey
    /// With the key taken in: every request's token begins from here.
    private let keyed: HMAC<SHA256>

    private init(_ key: SymmetricKey) {
        self.key = key
        keyed = HMAC(key: key)
    }

    /// A key that no other process knows.
    package init() { self.init(SymmetricKey(size: .bits256)) }

    /// Reads the key from `path`.
    /// - Throws: ``LedgerError`` when the file cannot be read or is not 32 bytes.
    package init(contentsOf path: String) throws {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw LedgerError(.permission, "The token key \(path) cannot be read. 'swiftlet serve' makes it at its first start.")
        }
        guard bytes.count == 32 else {
            throw LedgerError(.damaged, "The token key \(path) is not 32 bytes. Remove the file and start 'swiftlet serve' again.")
        }
        self.init(SymmetricKey(data: bytes))
    }

    /// Reads the key from `path`, or makes the file if there is none. Of several processes that make it at once, one wins.
    package static func loadOrCreate(at path: String) throws -> TokenKey {
        guard !FileManager.default.fileExists(atPath: path) else { return try TokenKey(contentsOf: path) }
        // The file appears under its name only when it is complete.
        let draft = "\(path).\(UUIDv7())"
        defer { try? FileManager.default.removeItem(atPath: draft) }
        do {
            let file = try FileDescriptor.open(
                draft, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
            try file.closeAfter { try TokenKey().key.withUnsafeBytes { _ = try file.writeAll($0) } }
            try FileManager.default.linkItem(atPath: draft, toPath: path)
        } catch where FileManager.default.fileExists(atPath: path) {
            // Another process was faster: its key is the key.
        } catch {
            throw LedgerError(.permission, "The token key \(path) cannot be made (\(error)). Check that its folder exists and may be written.")
        }
        return try TokenKey(contentsOf: path)
    }

    func signature(of text: [UInt8]) -> HMAC<SHA256>.MAC {
        var authentication = keyed
        text.withUnsafeBytes { authentication.update(data: $0) }
        return authentication.finalize()
    }

    /// In constant time.
    func isSignature(_ signature: Data, of text: String) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: Data(text.utf8), using: key)
    }
}
