import Crypto
import FoundationEssentials
import Wire

/// What the gateway lets one invocation do, signed, so that a model host can tell without asking anyone:
/// base64url(JSON claims) "." base64url(HMAC-SHA256 of the first part).
package struct InvocationToken: Hashable, Sendable {
    package var invocation: UUIDv7
    package var tenant: String
    /// The id of the API key.
    package var key: String
    package var function: String
    /// The aliases of the models that it may call.
    package var models: [String]
    /// The models that its key allows any function it calls; `nil` for all.
    package var keyModels: [String]?
    package var expires: Date
    /// The try that it was made for.
    package var attempt: Attempt

    package init(
        invocation: UUIDv7, tenant: String, key: String, function: String, models: [String], keyModels: [String]? = nil, expires: Date,
        attempt: Attempt = .whole
    ) {
        self.invocation = invocation
        self.tenant = tenant
        self.key = key
        self.function = function
        self.models = models
        self.keyModels = keyModels
        self.expires = expires
        self.attempt = attempt
    }

    /// Why a token is not accepted.
    package enum Rejection: Error, Hashable, Sendable {
        case malformed, wrongSignature, expired

        /// A sentence for the caller.
        package var message: String {
            switch self {
            case .malformed: "This is not an invocation token. Send the one this invocation was given: Authorization: Bearer $SWIFTLET_INVOCATION_TOKEN."
            case .wrongSignature: "The invocation token was not signed by this system."
            case .expired: "The invocation token has expired with its invocation's deadline."
            }
        }
    }

    package func signed(with key: TokenKey) throws -> String {
        let claims = try Array(json.utf8).base64URL
        return "\(claims).\(Array(key.signature(of: claims)).base64URL)"
    }

    /// Reads a token and checks its signature, in constant time, and then its expiry.
    package init(verifying text: String, with key: TokenKey, now: Date = .now) throws(Rejection) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let signature = Data(base64URL: parts[1]) else { throw .malformed }
        guard key.isSignature(signature, of: String(parts[0])) else { throw .wrongSignature }
        guard let claims = Data(base64URL: parts[0]), let token = try? JSONDecoder().decode(InvocationToken.self, from: claims) else {
            throw .malformed
        }
        guard now < token.expires else { throw .expired }
        self = token
    }
}

extension InvocationToken: Decodable {
    private enum CodingKeys: String, CodingKey {
        case invocation = "inv"
        case tenant = "ten"
        case key
        case function = "fn"
        case models
        case keyModels = "key_models"
        case expires = "exp"
        case attempt = "try"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            invocation: try container.decode(UUIDv7.self, forKey: .invocation),
            tenant: try container.decode(String.self, forKey: .tenant),
            key: try container.decode(String.self, forKey: .key),
            function: try container.decode(String.self, forKey: .function),
            models: try container.decode([String].self, forKey: .models),
            keyModels: try container.decodeIfPresent([String].self, forKey: .keyModels),
            expires: Date(milliseconds: try container.decode(Int64.self, forKey: .expires)),
            attempt: Attempt(path: try container.decodeIfPresent(String.self, forKey: .attempt) ?? ""))
    }

    /// The claims. Put together by hand, because every request has a token: an encoder takes four times as long.
    private var json: String {
        get throws {
            var text = #"{"inv":"\#(invocation)","exp":\#(expires.milliseconds),"ten":\#(try Self.quoted(tenant)),"key":\#(try Self.quoted(key))"#
            text += #","fn":\#(try Self.quoted(function)),"models":\#(try Self.list(models))"#
            if let keyModels { text += #","key_models":\#(try Self.list(keyModels))"# }
            if attempt != .whole { text += #","try":\#(try Self.quoted(attempt.path))"# }
            return text + "}"
        }
    }

    private static func list(_ strings: [String]) throws -> String { "[\(try strings.map(quoted).joined(separator: ","))]" }

    private static func quoted(_ text: String) throws -> String {
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        return isPlain ? "\"\(text)\"" : String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
    }
}

extension [UInt8] {
    /// RFC 4648, section 5, without padding.
    fileprivate var base64URL: String {
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return String(unsafeUninitializedCapacity: (count * 4 + 2) / 3) { text in
            var (pending, bits, length) = (UInt32(0), 0, 0)
            func append(_ index: UInt32) {
                text[length] = alphabet.utf8Start[Int(index & 63)]
                length += 1
            }
            for byte in self {
                (pending, bits) = (pending << 8 | UInt32(byte), bits + 8)
                while bits >= 6 {
                    bits -= 6
                    append(pending >> UInt32(bits))
                }
            }
            if bits > 0 { append(pending << UInt32(6 - bits)) }
            return length
        }
    }

}

extension Data {
    fileprivate init?(base64URL text: Substring) {
        guard text.utf8.count <= 65_536 else { return nil }
        let standard = text.replacing("-", with: "+").replacing("_", with: "/")
        self.init(base64Encoded: standard + String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4))
        // One text per value: no padding, no other alphabet, no stray bits in the last character.
        guard Array(self).base64URL == text else { return nil }
    }
}
