import FoundationEssentials
import JWTKit
import Wire

/// The public keys of an issuer, by their ids.
struct KeySet: Sendable {
    private let keys: [String: JWK]

    /// Keys that are not for signatures, of a kind that is not taken, or without an id are left out.
    /// - Throws: when `bytes` are no key set.
    init(parsing bytes: [UInt8]) throws {
        struct Entries: Decodable { let keys: [JSON] }
        var keys: [String: JWK] = [:]
        for entry in try JSONDecoder().decode(Entries.self, from: Data(bytes)).keys {
            guard entry["use"] == nil || entry["use"] == "sig", let id = entry["kid"]?.string,
                let key = try? JSONDecoder().decode(JWK.self, from: Data(JSON.encode(entry)))
            else { continue }
            keys[id] = key
        }
        self.keys = keys
    }

    /// Which kinds of key a signature algorithm goes with: never a shared secret, never none.
    private static let kinds: [String: JWK.KeyType] = [
        "RS256": .rsa, "RS384": .rsa, "RS512": .rsa, "ES256": .ecdsa, "ES384": .ecdsa, "ES512": .ecdsa, "EdDSA": .octetKeyPair,
    ]

    static func takes(_ algorithm: String) -> Bool { kinds[algorithm] != nil }

    func holds(_ id: String) -> Bool { keys[id] != nil }

    /// What checks signatures that key `id` made by `algorithm`.
    /// - Returns: `nil` when there is no such key.
    /// - Throws: ``IdentityError`` when the key is not for that algorithm, or broken.
    func verifier(_ id: String, _ algorithm: String) async throws -> JWTKeyCollection? {
        guard var key = keys[id] else { return nil }
        guard Self.kinds[algorithm] == key.keyType, key.algorithm.map({ $0.rawValue == algorithm }) ?? true else {
            throw IdentityError(.algorithm, "The token's key is not for the algorithm \(algorithm).")
        }
        key.algorithm = JWK.Algorithm(rawValue: algorithm)
        // A private key in a public set is not ours to use.
        key.privateExponent = nil
        do {
            return try await JWTKeyCollection().add(jwk: key)
        } catch {
            throw IdentityError(.keysUnavailable, "The issuer's key '\(id)' is broken.")
        }
    }
}
