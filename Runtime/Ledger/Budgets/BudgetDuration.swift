/// How long a budget lasts before it is whole again. Periods begin at midnight UTC.
package enum BudgetDuration: String, CaseIterable, Hashable, Sendable {
    case day
    /// From Monday.
    case week
    /// From the first.
    case month
    /// For good.
    case total

    /// The first day of the period that `day` is in; days count from 1970-01-01.
    package func start(of day: Int64) -> Int64 {
        switch self {
        case .day: day
        // 1970-01-01 was a Thursday.
        case .week: day - ((day + 3) % 7 + 7) % 7
        case .month: day - Self.dayOfMonth(day) + 1
        case .total: .min
        }
    }

    /// Howard Hinnant's `civil_from_days` (https://howardhinnant.github.io/date_algorithms.html): years begin in March, so that
    /// the leap day is a year's last.
    private static func dayOfMonth(_ day: Int64) -> Int64 {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        return dayOfYear - (153 * month + 2) / 5 + 1
    }
}
