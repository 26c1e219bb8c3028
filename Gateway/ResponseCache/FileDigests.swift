import Crypto
import FoundationEssentials
import SwiftletSystem
import SystemPackage

/// What files hold: SHA-256, computed once for each state of a file, on a thread of its own, and remembered in the cache.
package actor FileDigests {
    private let store: ResponseCache
    /// By the file's identity.
    private var known: [String: String] = [:]
    private var sought: Set<String> = []

    package init(_ store: ResponseCache) { self.store = store }

    /// The digest of the file at `path` in the state that `identity` names (``FileStatus/identity``), in hexadecimal.
    /// - Parameter patience: how long to wait where it has to be computed; that goes on afterwards.
    /// - Returns: `nil` when it is not known yet, or the file is not what it was.
    package func digest(of path: String, in identity: String, patience: Duration = .seconds(1)) async -> String? {
        if let digest = known[identity] { return digest }
        if sought.insert(identity).inserted { Task { await find(path, identity) } }
        let deadline = ContinuousClock.now + patience
        while sought.contains(identity), .now < deadline, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
        return known[identity]
    }

    private func find(_ path: String, _ identity: String) async {
        defer { sought.remove(identity) }
        if let digest = try? await store.digest(ofFile: identity) {
            known[identity] = digest
            return
        }
        let computed = await withCheckedContinuation { continuation in
            startBlockingThread { continuation.resume(returning: Self.compute(path, identity)) }
        }
        guard let computed else { return }
        known[identity] = computed
        // Not kept, it is computed once more by the next start.
        try? await store.keep(computed, ofFile: identity)
    }

    /// Reads rather than maps, because a mapped file that is cut short ends its reader.
    private static func compute(_ path: String, _ identity: String) -> String? {
        guard FileStatus(path: path)?.identity == identity, let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else { return nil }
        defer { try? file.close() }
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            guard let count = try? buffer.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return nil }
            if count == 0 { break }
            hash.update(data: buffer[..<count])
        }
        guard FileStatus(path: path)?.identity == identity else { return nil }
        return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
