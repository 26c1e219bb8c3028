import FoundationEssentials

/// What reports count in: UTC hours, days and calendar months.
package enum Period: String, CaseIterable, Sendable {
    case hour, day, month

    /// The period that `date` is in.
    package func interval(containing date: Date) -> Range<Date> {
        switch self {
        case .hour: return Period.interval(of: 3600, containing: date)
        case .day: return Period.interval(of: 86_400, containing: date)
        case .month:
            let interval = Period.calendar.dateInterval(of: .month, for: date)
            return (interval?.start ?? date)..<(interval?.end ?? date)
        }
    }

    /// How many a report has where nothing else is asked for.
    package var usualCount: Int {
        switch self {
        case .hour: 24
        case .day: 7
        case .month: 12
        }
    }

    /// Where the last ``usualCount`` of them before `end` begin.
    package func usualStart(before end: Date) -> Date {
        var start = interval(containing: end - 0.001).lowerBound
        for _ in 1..<usualCount { start = interval(containing: start - 0.001).lowerBound }
        return start
    }

    /// The period that begins at `start` (Unix seconds), as people write it: `2026-11`, `2026-11-21`, `2026-11-21T09:00Z`.
    package func name(_ start: Int64) -> String {
        let text = Date(timeIntervalSince1970: TimeInterval(start)).ISO8601Format()
        return switch self {
        case .hour: "\(text.prefix(16))Z"
        case .day: String(text.prefix(10))
        case .month: String(text.prefix(7))
        }
    }

    private static func interval(of length: TimeInterval, containing date: Date) -> Range<Date> {
        let start = Date(timeIntervalSince1970: (date.timeIntervalSince1970 / length).rounded(.down) * length)
        return start..<(start + length)
    }

    private static let calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()
}

/// A stretch of time that is a whole number of periods.
struct Span: Hashable {
    let period: Period
    let range: Range<Date>
}

extension Period {
    /// Cuts a range of whole hours into as few spans as can be, none of whose periods is longer than `self`: at most five,
    /// hours, days, months, days, hours.
    func spans(of range: Range<Date>) -> [Span] {
        guard let finer = Period.allCases.last(where: { $0 < self }) else {
            return range.isEmpty ? [] : [Span(period: self, range: range)]
        }
        let first = interval(containing: range.lowerBound), last = interval(containing: range.upperBound)
        let start = first.lowerBound == range.lowerBound ? first.lowerBound : first.upperBound
        let end = last.lowerBound
        guard start < end else { return finer.spans(of: range) }
        return finer.spans(of: range.lowerBound..<start) + [Span(period: self, range: start..<end)] + finer.spans(of: end..<range.upperBound)
    }
}

extension Period: Comparable {
    /// The shorter is the lesser.
    package static func < (a: Period, b: Period) -> Bool {
        switch (a, b) {
        case (.hour, .day), (.hour, .month), (.day, .month): true
        default: false
        }
    }
}
