/// Why a JSON web token is not accepted, told for the caller.
package struct IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Not a token, or not one that is taken here.
        case malformed
        /// Signed in a way that is not taken: `none`, a shared secret, or not as its key is meant to be used.
        case algorithm
        /// The issuer's key set has no such key.
        case unknownKey
        case wrongSignature
        case expired
        /// Not before a time to come.
        case notYetValid
        case wrongIssuer
        case wrongAudience
        /// No claim that names a tenant, or one that cannot be a tenant's name.
        case noTenant
        /// The issuer's keys cannot be had, so that nothing can be checked.
        case keysUnavailable
    }

    package let code: Code
    package let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
