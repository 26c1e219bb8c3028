import FoundationEssentials
import JWTKit
import Wire

/// Whose request it is, by a token that was checked.
package struct Identity: Hashable, Sendable {
    package let tenant: String
    package let expires: Date
}

/// Checks JSON web tokens (RFC 7519) of one issuer: signature, by RS256, ES256, EdDSA and their longer kin; issuer, audience, times.
///
/// The issuer's keys are kept and asked for again when they are old, or a token names one that is not among them, though not
/// more often than every few seconds. While they cannot be had, the last ones go on for a day.
package actor TokenVerifier {
    package struct Expectations: Hashable, Sendable {
        package var issuer: String
        package var audience: String
        /// The claim that names the tenant.
        package var tenantClaim: String

        package init(issuer: String, audience: String, tenantClaim: String) {
            self.issuer = issuer
            self.audience = audience
            self.tenantClaim = tenantClaim
        }
    }

    /// Between two looks for keys, whoever asks.
    private static let shortestPause = Duration.seconds(5)
    private static let longestUse = Duration.seconds(86_400)
    /// By how much clocks may differ.
    private static let leeway: TimeInterval = 30

    private let expectations: Expectations
    private let lifetime: Duration
    private let fetch: @Sendable () async throws -> [UInt8]
    private let clock: @Sendable () -> ContinuousClock.Instant
    private var keys: (set: KeySet, since: ContinuousClock.Instant)?
    private var lastLook: ContinuousClock.Instant?
    private var look: Task<Void, Never>?

    package init(_ expectations: Expectations, keys: KeySource) {
        self.init(expectations, lifetime: keys.lifetime, clock: { .now }, fetch: keys.fetch)
    }

    /// - Parameters:
    ///   - lifetime: for how long a key set is used before it is asked for again.
    ///   - clock: says what time it is.
    ///   - fetch: gets the key set.
    package init(
        _ expectations: Expectations, lifetime: Duration, clock: @escaping @Sendable () -> ContinuousClock.Instant,
        fetch: @escaping @Sendable () async throws -> [UInt8]
    ) {
        self.expectations = expectations
        self.lifetime = lifetime
        self.clock = clock
        self.fetch = fetch
    }

    /// Whether `text` has the shape of a token, so that it is worth to be checked.
    package static func isToken(_ text: String) -> Bool {
        text.utf8.count <= 16_384 && text.utf8.count { $0 == UInt8(ascii: ".") } == 2 && text.hasPrefix("ey")
    }

    /// - Throws: ``IdentityError`` that says why the token is not accepted.
    package func verify(_ token: String, now: Date = .now) async throws -> Identity {
        let header = try Self.header(of: token)
        guard KeySet.takes(header.algorithm) else {
            throw IdentityError(.algorithm, "Tokens are taken when signed by RS256, ES256 or EdDSA, not by '\(header.algorithm)'.")
        }
        guard let verifier = try await keySet(for: header.key).verifier(header.key, header.algorithm) else {
            throw IdentityError(.unknownKey, "The token's key is not among those of its issuer.")
        }
        let claims: Claims
        do {
            claims = try await verifier.verify(token, as: Claims.self)
        } catch {
            throw IdentityError(.wrongSignature, "The token was not signed by its issuer, or is no token.")
        }
        return try check(claims, now)
    }

    private func check(_ claims: Claims, _ now: Date) throws -> Identity {
        guard claims["iss"]?.string == expectations.issuer else { throw IdentityError(.wrongIssuer, "The token is of another issuer.") }
        let audiences = claims["aud"]?.array?.compactMap(\.string) ?? claims["aud"]?.string.map { [$0] } ?? []
        guard audiences.contains(expectations.audience) else { throw IdentityError(.wrongAudience, "The token is for another audience.") }
        guard let end = claims["exp"]?.number, now.timeIntervalSince1970 < end else { throw IdentityError(.expired, "The token has expired.") }
        if let start = claims["nbf"]?.number, now.timeIntervalSince1970 + Self.leeway < start {
            throw IdentityError(.notYetValid, "The token is not valid yet.")
        }
        guard let tenant = claims[expectations.tenantClaim]?.string, !tenant.isEmpty else {
            throw IdentityError(.noTenant, "The token has no claim '\(expectations.tenantClaim)' that names a tenant.")
        }
        return Identity(tenant: tenant, expires: Date(timeIntervalSince1970: end))
    }

    private static func header(of token: String) throws -> (algorithm: String, key: String) {
        let part = String(token.prefix { $0 != "." })
        let padded = part.replacing("-", with: "+").replacing("_", with: "/") + String(repeating: "=", count: (4 - part.utf8.count % 4) % 4)
        guard isToken(token), let data = Data(base64Encoded: padded), let header = try? JSONDecoder().decode([String: JSON].self, from: data),
            let algorithm = header["alg"]?.string
        else { throw IdentityError(.malformed, "This is neither an API key nor a JSON web token.") }
        // Critical extensions must be understood, and none are.
        guard header["crit"] == nil else { throw IdentityError(.malformed, "The token has extensions that are not understood.") }
        guard let key = header["kid"]?.string else {
            throw IdentityError(KeySet.takes(algorithm) ? .unknownKey : .algorithm, "The token does not name its key.")
        }
        return (algorithm, key)
    }

    // MARK: Keys

    private func keySet(for id: String) async throws -> KeySet {
        let now = clock()
        let isOld = keys.map { $0.since.duration(to: now) >= lifetime } ?? true
        let isUnknown = keys.map { !$0.set.holds(id) } ?? false
        let isTimeToLook = lastLook.map { $0.duration(to: now) >= Self.shortestPause } ?? true
        if isOld || isUnknown, isTimeToLook || look != nil { await refresh(at: now) }
        guard let keys, keys.since.duration(to: now) < Self.longestUse else {
            throw IdentityError(.keysUnavailable, "The keys of the token's issuer cannot be had at the moment. Try again.")
        }
        return keys.set
    }

    /// Everyone who needs keys waits for one look.
    private func refresh(at now: ContinuousClock.Instant) async {
        if let look { return await look.value }
        lastLook = now
        let task = Task {
            if let bytes = try? await fetch(), let set = try? KeySet(parsing: bytes) { keys = (set, now) }
        }
        look = task
        await task.value
        look = nil
    }
}

/// All claims of a token, which are checked apart.
private struct Claims: JWTPayload {
    private let members: [String: JSON]

    subscript(name: String) -> JSON? { members[name] }

    init(from decoder: any Decoder) throws { members = try decoder.singleValueContainer().decode([String: JSON].self) }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(members)
    }

    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
