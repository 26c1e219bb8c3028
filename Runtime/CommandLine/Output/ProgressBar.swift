import SwiftletSystem
import Synchronization

/// One line on standard error that says how far something is; nothing where that is no terminal.
final class ProgressBar: Sendable {
    private struct State {
        let started = ContinuousClock.now
        var shown: ContinuousClock.Instant?
    }

    private let title: String
    private let isShown = Terminal.isStandardError
    private let state = Mutex(State())

    init(_ title: String) { self.title = title }

    /// - Parameter share: 0 to 1.
    func show(_ share: Double) {
        draw { _ in "\(ProgressBar.bar(share)) \(Int(share * 100)) %" }
    }

    func show(bytes: Int64, of total: Int64?) {
        draw { seconds in
            let speed = seconds > 0 ? " \(Int(Double(bytes) / seconds / 1e6)) MB/s" : ""
            guard let total, total > 0 else { return "\(bytes / 1_000_000) MB\(speed)" }
            return "\(ProgressBar.bar(Double(bytes) / Double(total))) \(bytes / 1_000_000) of \(total / 1_000_000) MB\(speed)"
        }
    }

    /// Takes the line away.
    func finish() {
        if isShown { Terminal.writeError("\r\u{1b}[K") }
    }

    private func draw(_ text: (_ seconds: Double) -> String) {
        guard isShown else { return }
        let now = ContinuousClock.now
        let elapsed = state.withLock { state -> Duration? in
            if let shown = state.shown, now - shown < .milliseconds(100) { return nil }
            state.shown = now
            return now - state.started
        }
        if let elapsed { Terminal.writeError("\r\(title) \(text(elapsed / .seconds(1)))\u{1b}[K") }
    }

    private static func bar(_ share: Double) -> String {
        let full = Int(max(0, min(1, share)) * 24)
        return "[" + String(repeating: "#", count: full) + String(repeating: "-", count: 24 - full) + "]"
    }
}
