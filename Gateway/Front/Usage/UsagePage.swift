import FoundationEssentials
import Ledger
import Wire

/// One page of a report: which buckets it has, and how they are written.
package struct UsagePage {
    private let report: UsageReport
    private let period: Period
    /// The buckets' bounds, one more than there are buckets.
    private let bounds: [Date]
    /// Where the next page begins; `nil` when this is the last.
    private let next: Date?
    /// What results are apart by, under the names that were asked for.
    private let groups: [(name: String, dimension: UsageDimension)]
    private let only: [UsageDimension: Set<String>]

    /// OpenAI's names first, then those of what only Swiftlet has.
    private static let groupNames: [String: UsageDimension] = [
        "api_key_id": .keyID, "model": .model, "project_id": .tenant, "line_item": .model, "function": .function, "version": .version,
        "route": .route, "key": .key, "tag": .tag, "tenant": .tenant, "kind": .kind,
    ]
    private static let filterNames: [String: UsageDimension] = [
        "api_key_ids": .keyID, "models": .model, "project_ids": .tenant, "functions": .function, "versions": .version, "keys": .key,
        "tags": .tag, "tenants": .tenant,
    ]
    private static let otherNames: Set = ["start_time", "end_time", "bucket_width", "group_by", "limit", "page"]

    /// - Throws: ``APIError`` with status 400 that names the parameter at fault.
    package init(_ report: UsageReport, parameters: QueryParameters, now: Date) throws {
        for name in parameters.names.sorted() where !Self.otherNames.contains(name) && Self.filterNames[name] == nil {
            throw APIError.invalidRequest("Unknown parameter: '\(name)'.", parameter: name, code: "unknown_parameter")
        }
        self.report = report
        period = try Self.period(parameters["bucket_width"])
        let largest = [Period.hour: 168, .day: 180, .month: 120][period, default: 168]
        let limit = try Self.integer(parameters, "limit", in: 1...Int64(largest)).map(Int.init) ?? period.usualCount
        let times: ClosedRange<Int64> = 0...253_402_300_799
        let end = try Self.integer(parameters, "end_time", in: times).map { Date(timeIntervalSince1970: TimeInterval($0)) } ?? now
        let start = try Self.integer(parameters, "start_time", in: times).map { Date(timeIntervalSince1970: TimeInterval($0)) }
            ?? period.usualStart(before: end)
        guard start < end else { throw APIError.invalidRequest("'start_time' must be before 'end_time'.", parameter: "start_time") }
        var bound = try Self.page(parameters["page"]) ?? start
        bound = period.interval(containing: bound).lowerBound
        var bounds = [bound]
        while bounds.count <= limit, bound < end {
            bound = period.interval(containing: bound).upperBound
            bounds.append(bound)
        }
        self.bounds = bounds
        next = bound < end ? bound : nil
        groups = try parameters.list("group_by").map { name in
            guard let dimension = Self.groupNames[name] else {
                throw APIError.invalidRequest(
                    "Cannot group by '\(name)'; there are \(Self.groupNames.keys.sorted().joined(separator: ", ")).", parameter: "group_by")
            }
            return (name, dimension)
        }
        guard Set(groups.map(\.dimension)).count == groups.count else {
            throw APIError.invalidRequest("'group_by' names the same thing twice.", parameter: "group_by")
        }
        var only: [UsageDimension: Set<String>] = [:]
        for (name, dimension) in Self.filterNames {
            let values = parameters.list(name)
            if !values.isEmpty { only[dimension, default: []].formUnion(values) }
        }
        if let kinds = report.kinds { only[.kind] = kinds }
        self.only = only
    }

    private static func period(_ width: String?) throws -> Period {
        switch width {
        case "1h": .hour
        case nil, "1d": .day
        case "1mo": .month
        default: throw APIError.invalidRequest("'bucket_width' must be 1h, 1d or 1mo.", parameter: "bucket_width")
        }
    }

    private static func integer(_ parameters: QueryParameters, _ name: String, in range: ClosedRange<Int64>) throws -> Int64? {
        guard let text = parameters[name] else { return nil }
        guard let value = Int64(text), range.contains(value) else {
            throw APIError.invalidRequest(
                "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound).", parameter: name)
        }
        return value
    }

    private static func page(_ token: String?) throws -> Date? {
        guard let token else { return nil }
        guard token.hasPrefix("page_"), let seconds = Int64(token.dropFirst(5)), (0...253_402_300_799).contains(seconds) else {
            throw APIError.invalidRequest("'page' must be the 'next_page' of an earlier answer.", parameter: "page")
        }
        return Date(timeIntervalSince1970: TimeInterval(seconds))
    }

    // MARK: Asking and answering

    func query(seenBy caller: Caller) -> UsageQuery {
        var only = only
        if !caller.isAdmin { only[.tenant] = only[.tenant].map { $0.intersection([caller.tenant]) } ?? [caller.tenant] }
        return UsageQuery(since: bounds[0], until: bounds[bounds.count - 1], period: period, groupBy: groups.map(\.dimension), only: only)
    }

    /// The page as JSON. It is put together here, because a page may have tens of thousands of results, and an encoder takes ten times
    /// as long for them as their sums.
    package func json(_ found: [UsageGroup]) throws -> String {
        let byStart = Dictionary(grouping: found) { $0.start ?? bounds[0] }
        var (buckets, count, next) = ([String](), 0, next)
        for (start, end) in zip(bounds, bounds.dropFirst()) {
            let groups = byStart[start] ?? []
            count += groups.count
            if count > Self.mostResults, !buckets.isEmpty {
                next = start
                break
            }
            let results = try groups.map(result).joined(separator: ",")
            buckets.append(#"{"object":"bucket","start_time":\#(seconds(start)),"end_time":\#(seconds(end)),"results":[\#(results)]}"#)
        }
        let page = next.map { #""page_\#(seconds($0))""# } ?? "null"
        return #"{"object":"page","data":[\#(buckets.joined(separator: ","))],"has_more":\#(next != nil),"next_page":\#(page)}"#
    }

    /// A page that would have more ends earlier, at the end of a bucket.
    private static let mostResults = 20_000

    private func seconds(_ date: Date) -> Int64 { Int64(date.timeIntervalSince1970) }

    private func result(_ group: UsageGroup) throws -> String {
        let usage = group.usage
        var text = #"{"object":"\#(report.resultName)""#
        if report == .costs {
            text += #","amount":{"value":\#(usage.cost),"currency":"usd"}"#
        } else {
            text += #","input_tokens":\#(usage.promptTokens),"num_model_requests":\#(group.calls)"#
        }
        if report == .usage || report == .completions {
            text += #","output_tokens":\#(usage.completionTokens),"input_cached_tokens":\#(usage.cachedTokens)"#
        }
        if report == .usage { text += #","cost":\#(usage.cost)"# }
        for (group, value) in zip(groups, group.values) {
            var quoted: [UInt8] = []
            try quoted.append(jsonString: value)
            text += #","\#(group.name)":\#(String(decoding: quoted, as: UTF8.self))"#
        }
        for name in absentNames { text += #","\#(name)":null"# }
        return text + "}"
    }

    /// What OpenAI's clients look for is there, if only as null.
    private var absentNames: [String] {
        let names = report == .costs ? ["line_item", "project_id"] : ["project_id", "user_id", "api_key_id", "model"]
        return names.filter { name in !groups.contains { $0.name == name } }
    }
}
