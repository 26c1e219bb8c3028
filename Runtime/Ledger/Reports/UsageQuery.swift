import FoundationEssentials
import Wire

/// What usage can be summed by and chosen by.
package enum UsageDimension: String, CaseIterable, Sendable {
    case function
    /// The function's version that ran.
    case version
    case route
    /// The key's name.
    case key
    case keyID = "key_id"
    /// A tag of the key. A key with two tags counts under both, so that sums over tags may exceed the whole.
    case tag
    case tenant, model
    /// `chat`, `completion`, `embedding`, the same with `cached_` before it for answers from the response cache, or `fee` for what an
    /// invocation itself costs.
    case kind
}

/// Which usage to sum, and how.
package struct UsageQuery: Sendable {
    /// When the calls began, in whole UTC hours: the bounds are those of the hours that they are in, the last one included.
    package var range: Range<Date>
    /// One row for each of these; `nil` for one over the whole range.
    package var period: Period?
    package var dimensions: [UsageDimension]
    /// Only calls that have one of these values, in every dimension given.
    package var only: [UsageDimension: Set<String>]

    /// - Parameters:
    ///   - since: The first moment; `nil` for all there is.
    ///   - until: The first moment that is not wanted; `nil` for no end.
    package init(
        since: Date? = nil, until: Date? = nil, period: Period? = nil, groupBy dimensions: [UsageDimension] = [],
        only: [UsageDimension: Set<String>] = [:]
    ) {
        let start = Period.hour.interval(containing: since ?? Date(timeIntervalSince1970: 0)).lowerBound
        // The year 10000.
        let end = min(until ?? .distantFuture, Date(timeIntervalSince1970: 253_402_300_800))
        self.range = start..<max(start, Period.hour.interval(containing: end - 0.001).upperBound)
        self.period = period
        self.dimensions = dimensions
        self.only = only
    }
}

/// A sum over all calls that are alike.
package struct UsageGroup: Hashable, Sendable {
    /// The beginning of the period, where the query asks for periods.
    package let start: Date?
    /// One value per dimension, in the order that was asked for.
    package let values: [String]
    /// Model calls.
    package let calls: Int
    package let usage: TokenUsage

    package init(start: Date?, values: [String], calls: Int, usage: TokenUsage) {
        self.start = start
        self.values = values
        self.calls = calls
        self.usage = usage
    }
}
