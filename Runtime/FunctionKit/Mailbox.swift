import SwiftletSystem
import Synchronization

/// What a handler asks the thread that speaks libfcgi for it to do.
///
/// Every letter is answered when it is done, so a handler is never ahead of its client by more than one write.
final class Mailbox: Sendable {
    typealias Answer = CheckedContinuation<Void, any Error>

    enum Letter {
        case write([UInt8], Answer)
        /// Ends the response. FastCGI's application status says whether it is whole.
        case finish(isComplete: Bool, Answer)
        /// The handler has returned; nothing comes after this.
        case ended
    }

    private struct State {
        var letters: [Letter] = []
        var refusal: (any Error)?
    }

    private let state = Mutex(State())
    private let event: Event

    /// - Parameter event: what the thread waits for.
    init(waking event: Event) { self.event = event }

    func write(_ bytes: [UInt8]) async throws {
        try await withCheckedThrowingContinuation { post(.write(bytes, $0)) }
    }

    func finish(isComplete: Bool) async throws {
        try await withCheckedThrowingContinuation { post(.finish(isComplete: isComplete, $0)) }
    }

    func end() { post(.ended) }

    private func post(_ letter: Letter) {
        let refusal = state.withLock {
            if case .ended = letter {
                $0.letters.append(letter)
                return nil as (any Error)?
            }
            if $0.refusal == nil { $0.letters.append(letter) }
            return $0.refusal
        }
        if let refusal { letter.answer?.resume(throwing: refusal) } else { event.signal() }
    }

    // MARK: On the thread

    func take() -> [Letter] {
        state.withLock { state in
            defer { state.letters = [] }
            return state.letters
        }
    }

    /// Nothing can be written any more: answers what is there and what comes with `error`.
    func refuse(_ error: any Error) {
        let refused = state.withLock {
            $0.refusal = error
            let refused = $0.letters.filter { $0.answer != nil }
            $0.letters.removeAll { $0.answer != nil }
            return refused
        }
        for letter in refused { letter.answer?.resume(throwing: error) }
    }
}

extension Mailbox.Letter {
    var answer: Mailbox.Answer? {
        switch self {
        case .write(_, let answer), .finish(_, let answer): answer
        case .ended: nil
        }
    }
}
