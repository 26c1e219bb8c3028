import Synchronization

/// The receiver behind ``HTTPClient/send(_:)``: hands the head to the caller and the body to whoever iterates it.
final class Exchange: Receiver {
    private typealias HeadReader = CheckedContinuation<HTTPClient.Head, any Error>
    private typealias BodyReader = CheckedContinuation<[UInt8]?, any Error>

    private struct State {
        var headReader: HeadReader?
        var failure: (any Error)?
        var body = BodyBuffer<BodyReader>()
    }

    private let state = Mutex(State())

    /// - Parameter start: gives the transfer to the driver.
    func head(start: @Sendable () -> Void) async throws -> HTTPClient.Head {
        try await withCheckedThrowingContinuation { continuation in
            let failure = state.withLock {
                if $0.failure == nil { $0.headReader = continuation }
                return $0.failure
            }
            if let failure { continuation.resume(throwing: failure) } else { start() }
        }
    }

    /// - Parameter resume: tells the driver that there is room again.
    func next(resume: @Sendable () -> Void) async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { continuation in
            let next = state.withLock {
                let next = $0.body.next()
                if case .wait = next { $0.body.wait(continuation) }
                return next
            }
            answer(continuation, next, resume: resume)
        }
    }

    private func answer(_ reader: BodyReader, _ next: BodyBuffer<BodyReader>.Next, resume: () -> Void) {
        switch next {
        case .chunk(let bytes, let wasPaused):
            if wasPaused { resume() }
            reader.resume(returning: bytes)
        case .end: reader.resume(returning: nil)
        case .failure(let error): reader.resume(throwing: error)
        case .wait: break
        }
    }

    func receive(_ head: HTTPClient.Head) {
        state.withLock { exchange(&$0.headReader, with: nil) }?.resume(returning: head)
    }

    func receive(_ bytes: [UInt8]) -> Intake {
        let (taken, reader, next) = state.withLock {
            let (taken, reader) = $0.body.append(bytes)
            return (taken, reader, reader == nil ? nil : $0.body.next())
        }
        // A reader that waits has emptied the buffer, so nothing can be paused.
        if let reader, let next { answer(reader, next, resume: {}) }
        return taken ? .taken : .full
    }

    func finish(_ failure: HTTPError?) { end(failure) }

    /// Ends both sides with `failure`, or the body as complete.
    func end(_ failure: (any Error)?) {
        let (headReader, reader, next) = state.withLock {
            if $0.failure == nil { $0.failure = failure }
            let reader = $0.body.finish(failure.map { .failure($0) } ?? .success(()))
            return (exchange(&$0.headReader, with: nil), reader, reader == nil ? nil : $0.body.next())
        }
        headReader?.resume(throwing: failure ?? HTTPError(.badResponse, "The response had no head."))
        if let reader, let next { answer(reader, next, resume: {}) }
    }
}
