import FastCGI
import HTTPTypes
import Identity
import Ledger
import Wire

/// Finds out who asks: `Authorization: Bearer sk-swl-…`. On the internal listener, which only functions can reach, an invocation token
/// stands for the key of the invocation it was made for.
struct KeyCheck: Sendable {
    let ledger: Ledger
    /// Verifies invocation tokens; `nil` on listeners that clients reach.
    let tokens: TokenKey?
    /// Checks JSON web tokens of another issuer; `nil` where none are taken.
    let identities: TokenVerifier?

    /// - Throws: ``APIError`` 401 when the fields show no valid key.
    func caller(showing fields: HTTPFields) async throws -> Caller {
        guard let header = fields.first(.authorization) else {
            throw APIError.invalidKey("You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'.")
        }
        let scheme: StaticString = "bearer "
        let isBearer = header.utf8.count >= scheme.utf8CodeUnitCount
            && zip(header.utf8, UnsafeBufferPointer(start: scheme.utf8Start, count: scheme.utf8CodeUnitCount)).allSatisfy { $0 | 0x20 == $1 }
        guard isBearer else {
            throw APIError.invalidKey("The Authorization header must be 'Bearer YOUR_KEY'.")
        }
        let secret = String(Substring(header.utf8.dropFirst(scheme.utf8CodeUnitCount).trimmingSpaces))
        if let tokens {
            do {
                let token = try InvocationToken(verifying: secret, with: tokens)
                return Caller(key: token.key, tenant: token.tenant, models: token.keyModels, parent: token)
            } catch {
                throw APIError.invalidKey(error.message)
            }
        }
        if let identities, TokenVerifier.isToken(secret) { return Caller(try await key(of: secret, identities)) }
        guard let key = try await ledger.authenticate(secret) else {
            throw APIError.invalidKey("Incorrect API key provided: \(Self.masked(secret)). 'swiftlet keys list' shows the keys there are.")
        }
        return Caller(key)
    }

    /// The key that stands for the tenant a token names.
    private func key(of token: String, _ identities: TokenVerifier) async throws -> APIKey {
        do {
            let identity = try await identities.verify(token)
            guard let key = try await ledger.key(ofTenant: identity.tenant) else {
                throw APIError.invalidKey("The access of the tenant '\(identity.tenant)' was revoked.")
            }
            return key
        } catch let error as IdentityError where error.code == .keysUnavailable {
            throw APIError.overloaded(error.message)
        } catch let error as IdentityError {
            throw APIError.invalidKey(error.message)
        } catch let error as LedgerError where error.code == .invalid {
            throw APIError.invalidKey(error.message)
        }
    }

    /// Enough of a key to recognise it, too little to use it.
    private static func masked(_ secret: String) -> String {
        secret.count > 12 ? "\(secret.prefix(7))***\(secret.suffix(4))" : "***"
    }
}

extension Substring.UTF8View {
    fileprivate var trimmingSpaces: Substring.UTF8View {
        var text = self
        while text.first == UInt8(ascii: " ") { text.removeFirst() }
        while text.last == UInt8(ascii: " ") { text.removeLast() }
        return text
    }
}

extension Caller {
    fileprivate init(_ key: APIKey) {
        self.init(
            key: key.id, tenant: key.tenant, isAdmin: key.isAdmin, functions: key.settings.functions, models: key.settings.models,
            limits: key.settings)
    }
}
