import ArgumentParser
import FoundationEssentials

/// A point in time: so long ago, or a day, or an ISO 8601 time.
struct PointInTime: ExpressibleByArgument {
    let date: Date

    init?(argument: String) {
        if let interval = TimeInterval(daysAndSmaller: argument) {
            date = .now - interval
        } else if let time = try? Date(argument, strategy: .iso8601) {
            date = time
        } else if argument.utf8.count == 10, let day = try? Date(argument, strategy: Date.ISO8601FormatStyle().year().month().day()) {
            // Of a longer text it would read the beginning.
            date = day
        } else {
            return nil
        }
    }
}

/// How old something is: `90d`, `24h`, `30m`, `10s`.
struct Age: ExpressibleByArgument {
    let seconds: TimeInterval

    init?(argument: String) {
        guard let interval = TimeInterval(daysAndSmaller: argument) else { return nil }
        seconds = interval
    }
}

extension TimeInterval {
    fileprivate init?(daysAndSmaller text: String) {
        guard let unit = text.last, let seconds = ["s": 1, "m": 60, "h": 3600, "d": 86_400][unit],
            let count = Int(text.dropLast()), (0...1_000_000).contains(count)
        else { return nil }
        self.init(count * seconds)
    }
}

/// A calendar month: `2026-11`.
struct Month: ExpressibleByArgument {
    let date: Date

    init?(argument: String) {
        guard argument.utf8.count == 7, let date = try? Date("\(argument)-01", strategy: Date.ISO8601FormatStyle().year().month().day())
        else { return nil }
        self.date = date
    }
}
