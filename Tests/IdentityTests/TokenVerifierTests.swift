import Foundation
import Identity
import JWTKit
import Synchronization
import Testing

/// Tokens are signed with JWTKit here; Tests/EndToEnd has some that PyJWT signed.
@Suite struct TokenVerifierTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let expectations = TokenVerifier.Expectations(issuer: "https://login.example.org", audience: "swiftlet", tenantClaim: "org")

    /// A token's claims, as they should be.
    private struct Claims: JWTPayload {
        var iss: String? = "https://login.example.org"
        var aud: [String]? = ["other", "swiftlet"]
        var exp: Double? = 1_800_000_060
        var nbf: Double?
        var org: String? = "acme"
        func verify(using algorithm: some JWTAlgorithm) async throws {}
    }

    /// An issuer with one key, and its public key set.
    private struct Issuer {
        let keys = JWTKeyCollection()
        let set: [UInt8]

        init(_ id: String = "one") async throws {
            let key = ES256PrivateKey()
            await keys.add(ecdsa: key, kid: JWKIdentifier(string: id))
            let parameters = try #require(key.parameters)
            set = Array(#"{"keys":[{"kty":"oct","kid":"x","k":"AAAA"},{"kty":"EC","crv":"P-256","kid":"\#(id)","x":"\#(parameters.x)","y":"\#(parameters.y)"}]}"#.utf8)
        }

        func token(_ claims: Claims = Claims(), key: String = "one") async throws -> String {
            try await keys.sign(claims, kid: JWKIdentifier(string: key))
        }
    }

    private func verifier(_ set: [UInt8]) -> TokenVerifier {
        TokenVerifier(expectations, lifetime: .seconds(60), clock: { .now }, fetch: { set })
    }

    private func refusal(_ token: String, _ verifier: TokenVerifier, at date: Date? = nil) async -> IdentityError.Code? {
        do {
            _ = try await verifier.verify(token, now: date ?? now)
            return nil
        } catch {
            return (error as? IdentityError)?.code
        }
    }

    private func base64URL(_ text: String) -> String {
        Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    @Test func `A good token names its tenant`() async throws {
        let issuer = try await Issuer()
        let identity = try await verifier(issuer.set).verify(try await issuer.token(), now: now)
        #expect(identity.tenant == "acme" && identity.expires == now + 60)
    }

    @Test func `Claims that are wrong or missing are refused, each for its reason`() async throws {
        let issuer = try await Issuer()
        let verifier = verifier(issuer.set)
        let wrong: [(Claims, IdentityError.Code)] = [
            (Claims(iss: "https://evil.example.org"), .wrongIssuer), (Claims(iss: nil), .wrongIssuer),
            (Claims(aud: ["another"]), .wrongAudience), (Claims(aud: []), .wrongAudience), (Claims(aud: nil), .wrongAudience),
            (Claims(exp: 1_800_000_000), .expired), (Claims(exp: nil), .expired), (Claims(nbf: 1_800_000_050), .notYetValid),
            (Claims(org: nil), .noTenant), (Claims(org: ""), .noTenant),
        ]
        for (claims, code) in wrong {
            let token = try await issuer.token(claims)
            #expect(await refusal(token, verifier) == code, "\(claims)")
        }
        let good = try await issuer.token()
        #expect(await refusal(good, verifier, at: now + 60) == .expired)
    }

    @Test func `No signature, a shared secret or another algorithm is refused`() async throws {
        let issuer = try await Issuer()
        let verifier = verifier(issuer.set)
        let good = try await issuer.token().split(separator: ".").map(String.init)
        for algorithm in ["none", "None", "NONE", "HS256", "PS256", ""] {
            let header = base64URL(#"{"alg":"\#(algorithm)","kid":"one","typ":"JWT"}"#)
            #expect(await refusal("\(header).\(good[1]).", verifier) == .algorithm, "\(algorithm)")
            #expect(await refusal("\(header).\(good[1]).\(good[2])", verifier) == .algorithm, "\(algorithm)")
        }
        // The public key taken for a shared secret, the oldest trick.
        let secret = JWTKeyCollection()
        await secret.add(hmac: HMACKey(from: Data(issuer.set)), digestAlgorithm: .sha256, kid: "one")
        let forged = try await secret.sign(Claims(), kid: "one")
        #expect(await refusal(forged, verifier) == .algorithm)
        // A key of the set used by an algorithm that is not its own.
        for algorithm in ["RS256", "EdDSA"] {
            let header = base64URL(#"{"alg":"\#(algorithm)","kid":"one"}"#)
            #expect(await refusal("\(header).\(good[1]).\(good[2])", verifier) == .algorithm)
        }
    }

    @Test func `Keys that are unknown, another's or not named are refused, and so is what was changed`() async throws {
        let issuer = try await Issuer()
        let verifier = verifier(issuer.set)
        let unknown = try await Issuer("two").token(key: "two")
        #expect(await refusal(unknown, verifier) == .unknownKey)
        let impostor = try await Issuer().token()
        #expect(await refusal(impostor, verifier) == .wrongSignature)
        let parts = try await issuer.token().split(separator: ".").map(String.init)
        #expect(await refusal("\(base64URL(#"{"alg":"ES256"}"#)).\(parts[1]).\(parts[2])", verifier) == .unknownKey)
        let others = base64URL(#"{"iss":"https://login.example.org","aud":"swiftlet","exp":1800000060,"org":"evil"}"#)
        #expect(await refusal("\(parts[0]).\(others).\(parts[2])", verifier) == .wrongSignature)
        let critical = base64URL(#"{"alg":"ES256","kid":"one","crit":["b64"],"b64":false}"#)
        #expect(await refusal("\(critical).\(parts[1]).\(parts[2])", verifier) == .malformed)
        for text in ["", "a.b.c", "ey.ey.ey", "ey..", String(repeating: "ey", count: 10_000) + ".a.b"] {
            #expect(await refusal(text, verifier) == .malformed)
        }
    }

    @Test func `While keys cannot be had tokens are refused, or taken by the last ones; a new key is found`() async throws {
        let issuer = try await Issuer()
        let world = World(answers: [nil, issuer.set, nil, try await Issuer("two").set])
        let verifier = TokenVerifier(expectations, lifetime: .seconds(60), clock: { world.now }, fetch: { try world.fetch() })
        let token = try await issuer.token()
        #expect(await refusal(token, verifier) == .keysUnavailable)
        #expect(await refusal(token, verifier) == .keysUnavailable)
        #expect(world.looks == 1, "it was asked a moment ago")
        world.wait(5)
        #expect(await refusal(token, verifier) == nil)
        for _ in 0..<5 { #expect(await refusal(token, verifier) == nil) }
        #expect(world.looks == 2)
        world.wait(60)
        #expect(await refusal(token, verifier) == nil, "the last keys go on")
        world.wait(5)
        // The issuer has changed its key.
        #expect(await refusal(token, verifier) == .unknownKey)
        #expect(world.looks == 4)
        world.wait(86_400)
        #expect(await refusal(token, verifier) == .keysUnavailable, "keys of yesterday are none")
    }
}

/// A clock made by hand, and an issuer that gives these key sets in turn; `nil` is a failure.
private final class World: Sendable {
    private let state: Mutex<(now: ContinuousClock.Instant, answers: [[UInt8]?], looks: Int)>

    init(answers: [[UInt8]?]) { state = Mutex((.now, answers, 0)) }

    var now: ContinuousClock.Instant { state.withLock { $0.now } }
    var looks: Int { state.withLock { $0.looks } }
    func wait(_ seconds: Int) { state.withLock { $0.now += .seconds(seconds) } }

    func fetch() throws -> [UInt8] {
        let answer = state.withLock { state in
            state.looks += 1
            return state.answers.isEmpty ? nil : state.answers.removeFirst()
        }
        guard let answer else { throw CancellationError() }
        return answer
    }
}
