import FoundationEssentials
import Ledger
import Wire

/// One page of a report: which buckets it has, and how they are written.
struct UsagePage {
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
    init(_ report: UsageReport, parameters: QueryParameters, now: Date) throws {
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

    func json(_ found: [UsageGroup]) -> JSON {
        let byStart = Dictionary(grouping: found) { $0.start ?? bounds[0] }
        let buckets = zip(bounds, bounds.dropFirst()).map { start, end -> JSON in
            [
                "object": "bucket", "start_time": .integer(Int64(start.timeIntervalSince1970)),
                "end_time": .integer(Int64(end.timeIntervalSince1970)), "results": .array((byStart[start] ?? []).map(result)),
            ]
        }
        return [
            "object": "page", "data": .array(buckets), "has_more": .bool(next != nil),
            "next_page": next.map { .string("page_\(Int64($0.timeIntervalSince1970))") } ?? .null,
        ]
    }

    private func result(_ group: UsageGroup) -> JSON {
        let usage = group.usage
        let cost = JSON.number(Double(usage.cost.count) / 1e9)
        var result: JSON = ["object": .string(report.resultName)]
        if report == .costs {
            result["amount"] = ["value": cost, "currency": "usd"]
        } else {
            result["input_tokens"] = .integer(Int64(usage.promptTokens))
            result["num_model_requests"] = .integer(Int64(group.calls))
        }
        if report == .usage || report == .completions {
            result["output_tokens"] = .integer(Int64(usage.completionTokens))
            result["input_cached_tokens"] = .integer(Int64(usage.cachedTokens))
        }
        if report == .usage { result["cost"] = cost }
        // What OpenAI's clients look for is there, if only as null.
        for name in report == .costs ? ["line_item", "project_id"] : ["project_id", "user_id", "api_key_id", "model"] { result[name] = .null }
        for (group, value) in zip(groups, group.values) { result[group.name] = .string(value) }
        return result
    }
}
