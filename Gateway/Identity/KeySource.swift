import FoundationEssentials
import HTTPClient

/// Where an issuer's JSON web key set (RFC 7517) is.
package enum KeySource: Hashable, Sendable, CustomStringConvertible {
    case file(String)
    case url(String)

    package var description: String {
        switch self {
        case .file(let path): path
        case .url(let url): url
        }
    }

    /// For how long a set is used before it is asked for again.
    var lifetime: Duration { if case .file = self { .seconds(5) } else { .seconds(300) } }

    /// The text of the set.
    package func fetch() async throws -> [UInt8] {
        switch self {
        case .file(let path):
            return Array(try Data(contentsOf: URL(filePath: path)))
        case .url(let url):
            let response = try await HTTPClient.send(HTTPClient.Request(url: url, timeouts: .init(connect: .seconds(3), total: .seconds(5))))
            guard response.isSuccess else {
                throw IdentityError(.keysUnavailable, "\(url) answered with status \(response.status).")
            }
            return try await response.body.collect(upTo: 1 << 20)
        }
    }
}
