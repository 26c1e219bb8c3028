import Synchronization

/// Where a handler leaves what its response is to say, and the thread that speaks libfcgi for it finds it.
///
/// How far the response is and the letters lie under one lock, so that letters are in the order of the states that made them.
/// Each is answered when it is done: a handler is never ahead of its client by more than one write.
final class Mailbox: Sendable {
    typealias Answer = CheckedContinuation<Void, any Error>

    enum Letter {
        case output(ResponseState.Output, Answer)
        /// Nothing comes after this.
        case handlerReturned
    }

    private struct State {
        var response = ResponseState()
        var letters: [Letter] = []
        var refusal: (any Error)?
    }

    private let state = Mutex(State())
    private let thread: RequestThread

    init(waking thread: RequestThread) { self.thread = thread }

    func begin(_ head: ResponseState.Head) throws { try state.withLock { try $0.response.begin(head) } }

    /// Returns when what `step` makes of the response is on its way to the client.
    /// - Parameter step: returns `nil` when there is nothing to do.
    func send(_ step: @Sendable (inout ResponseState) throws -> ResponseState.Output?) async throws {
        try await withCheckedThrowingContinuation { (answer: Answer) in
            let isPosted = Result {
                try state.withLock { state in
                    guard let output = try step(&state.response) else { return false }
                    if let refusal = state.refusal { throw refusal }
                    state.letters.append(.output(output, answer))
                    return true
                }
            }
            switch isPosted {
            case .success(true): thread.wake()
            case .success(false): answer.resume()
            case .failure(let error): answer.resume(throwing: error)
            }
        }
    }

    func handlerReturned() {
        state.withLock { $0.letters.append(.handlerReturned) }
        thread.wake()
    }

    // MARK: On the thread

    func take() -> [Letter] {
        state.withLock { state in
            defer { state.letters = [] }
            return state.letters
        }
    }

    /// Only what is to be written; the handler's return stays.
    func takeOutput() -> [Letter] {
        state.withLock { state in
            let output = state.letters.filter { if case .output = $0 { true } else { false } }
            state.letters.removeAll { if case .output = $0 { true } else { false } }
            return output
        }
    }

    /// Nothing can be written any more; what is here and what comes is answered with `error`.
    func refuse(_ error: any Error) {
        state.withLock { $0.refusal = error }
        for case .output(_, let answer) in takeOutput() { answer.resume(throwing: error) }
    }

    /// Ends the response with an error that did not come from the handler.
    /// - Returns: what it adds to the letters that lie here already; `nil` when the last of them is the end.
    func takeOver(for error: APIError) -> ResponseState.Output? {
        state.withLock {
            $0.refusal = CancellationError()
            return $0.response.fail(with: error).output
        }
    }
}
