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
        var text: [UInt8] = []
        text.reserveCapacity(1024)
        text.append(base64URL: try json)
        let signature = key.signature(of: text)
        text.append(UInt8(ascii: "."))
        text.append(base64URL: signature)
        return String(decoding: text, as: UTF8.self)
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

    /// The claims. Put together by hand, because every request has a token: an encoder takes ten times as long.
    private var json: [UInt8] {
        get throws {
            var text: [UInt8] = []
            text.reserveCapacity(512)
            text += #"{"inv":""#.utf8
            text += invocation.description.utf8
            text += #"","exp":"#.utf8
            text += String(expires.milliseconds).utf8
            text += #","ten":"#.utf8
            try text.append(jsonString: tenant)
            text += #","key":"#.utf8
            try text.append(jsonString: key)
            text += #","fn":"#.utf8
            try text.append(jsonString: function)
            text += #","models":"#.utf8
            try text.append(list: models)
            if let keyModels {
                text += #","key_models":"#.utf8
                try text.append(list: keyModels)
            }
            if attempt != .whole {
                text += #","try":"#.utf8
                try text.append(jsonString: attempt.path)
            }
            text += "}".utf8
            return text
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(list strings: [String]) throws {
        append(UInt8(ascii: "["))
        for (index, string) in strings.enumerated() {
            if index > 0 { append(UInt8(ascii: ",")) }
            try append(jsonString: string)
        }
        append(UInt8(ascii: "]"))
    }
}

extension [UInt8] {
    /// RFC 4648, section 5, without padding.
    fileprivate mutating func append(base64URL bytes: some ContiguousBytes) {
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        let digits = alphabet.utf8Start
        bytes.withUnsafeBytes { bytes in
            let text = [UInt8](unsafeUninitializedCapacity: (bytes.count * 4 + 2) / 3) { text, length in
                var start = 0
                while start < bytes.count {
                    let count = Swift.min(3, bytes.count - start)
                    var three = UInt32(bytes[start]) << 16
                    if count > 1 { three |= UInt32(bytes[start + 1]) << 8 }
                    if count > 2 { three |= UInt32(bytes[start + 2]) }
                    for shift in stride(from: 18, through: 18 - 6 * count, by: -6) {
                        text[length] = digits[Int(three >> UInt32(shift) & 63)]
                        length += 1
                    }
                    start += 3
                }
            }
            append(contentsOf: text)
        }
    }
}

extension Data {
    fileprivate init?(base64URL text: Substring) {
        guard text.utf8.count <= 65_536 else { return nil }
        let standard = text.replacing("-", with: "+").replacing("_", with: "/")
        self.init(base64Encoded: standard + String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4))
        // One text per value: no padding, no other alphabet, no stray bits in the last character.
        var same: [UInt8] = []
        same.append(base64URL: self)
        guard same.elementsEqual(text.utf8) else { return nil }
    }
}
