import FastCGI
import FoundationEssentials
import Hummingbird
import Ledger
import NIOCore
import Supervisor
import Wire

/// Usage and costs by time, in the shapes of OpenAI's usage and costs API
/// (https://platform.openai.com/docs/api-reference/usage): pages of buckets.
///
/// A key sees what its tenant has used, an admin's key everything.
struct UsageRoutes: Sendable {
    static let all = UsageReport.allCases.compactMap { Route("GET \($0.path)") }

    let ledger: Ledger

    func add(to router: Router<GatewayContext>) {
        for report in UsageReport.allCases {
            router.get(.init(report.path)) { request, context in
                guard let caller = context.caller else { throw APIError.internalError }
                let page = try UsagePage(report, parameters: QueryParameters(request.uri.query), now: .now)
                let groups = try await ledger.usage(page.query(seenBy: caller))
                return Response(
                    status: .ok, headers: [.contentType: "application/json"],
                    body: .init(byteBuffer: ByteBuffer(string: try page.json(groups))))
            }
        }
    }
}

/// What can be asked for.
package enum UsageReport: CaseIterable, Sendable {
    /// All calls with tokens and costs, by everything the ledger knows.
    case usage
    case completions, embeddings, costs

    var path: String {
        switch self {
        case .usage: "/v1/usage"
        case .completions: "/v1/organization/usage/completions"
        case .embeddings: "/v1/organization/usage/embeddings"
        case .costs: "/v1/organization/costs"
        }
    }

    /// The kinds of calls that it sums, those from the response cache among them; `nil` for all.
    var kinds: Set<String>? {
        let kinds: [UsageRow.Kind]
        switch self {
        case .usage, .costs: return nil
        case .completions: kinds = [.chat, .completion]
        case .embeddings: kinds = [.embedding]
        }
        return Set((kinds + kinds.map(\.cached)).map(\.rawValue))
    }

    /// `object` of each result.
    var resultName: String {
        switch self {
        case .usage: "usage.result"
        case .completions: "organization.usage.completions.result"
        case .embeddings: "organization.usage.embeddings.result"
        case .costs: "organization.costs.result"
        }
    }
}

/// The parameters of a query string, where a list may be written `a=1&a=2`, `a[]=1&a[]=2` or `a=1,2`.
package struct QueryParameters {
    private let values: [String: [String]]

    package init(_ query: String?) {
        var values: [String: [String]] = [:]
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.replacing("+", with: " ").split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                .map { FastCGIRequest.percentDecoded(String($0)) }
            let name = parts[0].hasSuffix("[]") ? String(parts[0].dropLast(2)) : parts[0]
            values[name, default: []].append(parts.count == 2 ? parts[1] : "")
        }
        self.values = values
    }

    var names: some Collection<String> { values.keys }

    subscript(name: String) -> String? { values[name]?.last }

    func list(_ name: String) -> [String] {
        (values[name] ?? []).flatMap { $0.split(separator: ",").map(String.init) }
    }
}
