import FoundationEssentials

/// The ledger's measure of time: whole Unix milliseconds.
enum Milliseconds {
    static var now: Int64 { Date.now.milliseconds }
}

extension Date {
    /// Rounded to the nearest, so that a stored time survives being a `Date`.
    var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }

    init(milliseconds: Int64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1000) }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    package var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
