import Synchronization

/// The receiver behind ``HTTPClient/download(_:to:headers:resume:timeouts:progress:)``: writes to the part file.
final class FileDownload: Receiver {
    private struct State {
        let file: PartFile
        var head = HTTPClient.Head()
        var total: Int64?
        /// The beginning of an error page.
        var refusal: [UInt8] = []
        var result: Result<Void, any Error>?
        var waiter: CheckedContinuation<Void, any Error>?
    }

    private let request: HTTPClient.Request
    private let progress: @Sendable (HTTPClient.Progress) -> Void
    private let state: Mutex<State>

    init(
        of request: HTTPClient.Request, to path: String, resume: Bool, progress: @escaping @Sendable (HTTPClient.Progress) -> Void
    ) throws(HTTPError) {
        self.request = request
        self.progress = progress
        state = Mutex(State(file: try PartFile(for: path, keep: resume)))
    }

    var hasBeginning: Bool { state.withLock { $0.file.size > 0 } }

    func startOver() throws(HTTPError) {
        try state.withLock { state throws(HTTPError) in
            try state.file.startOver()
            state = State(file: state.file)
        }
    }

    func close() { state.withLock { $0.file.close() } }

    /// Returns when the file is complete.
    func run(on driver: Driver) async throws {
        let (size, version) = state.withLock { ($0.file.size, $0.file.version) }
        var request = request
        if size > 0, let version { request.headers.append(HTTPClient.Field("If-Range", version)) }
        let options = Transfer.Options(followsRedirects: true, allowsFiles: true, offset: size)
        let lease = HTTPClient.Lease(Transfer(request, receiver: self, options: options), on: driver)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock {
                    if $0.result == nil { $0.waiter = continuation }
                    return $0.result
                }
                if let result { continuation.resume(with: result) } else { lease.start() }
            }
        } onCancel: {
            lease.cancel()
            end(.failure(CancellationError()))
        }
    }

    func receive(_ head: HTTPClient.Head) {
        state.withLock {
            $0.head = head
            if let length = head.headers["content-length"].flatMap({ Int64($0) }) {
                let (sum, overflow) = length.addingReportingOverflow(head.status == 206 ? $0.file.size : 0)
                $0.total = overflow ? nil : sum
            }
        }
    }

    func receive(_ bytes: [UInt8]) -> Intake {
        do throws(HTTPError) {
            let now = try state.withLock { state throws(HTTPError) -> HTTPClient.Progress? in
                if state.result != nil { return nil }
                if state.head.status >= 300 {
                    state.refusal += bytes.prefix(max(0, 500 - state.refusal.count))
                    return nil
                }
                try write(bytes, &state)
                return HTTPClient.Progress(received: state.file.size, total: state.total)
            }
            if let now { progress(now) }
            return .taken
        } catch {
            return .refused(error)
        }
    }

    func finish(_ failure: HTTPError?) {
        do throws(HTTPError) {
            try state.withLock { state throws(HTTPError) in
                if state.result != nil { return }
                if let failure { throw failure }
                let status = state.head.status
                // Nothing is left to fetch: the attempt before ended between the last byte and the rename.
                if status == 416, state.head.headers["content-range"] == "bytes */\(state.file.size)" { return try state.file.complete() }
                guard status < 300 else {
                    let page = String(decoding: state.refusal, as: UTF8.self).trimmed
                    let said = page.isEmpty || page.hasPrefix("<") ? "" : ": \(page)"
                    throw HTTPError(.status(status), "\(request.target) answered with HTTP status \(status)\(said).")
                }
                if state.file.isUntouched { try write([], &state) }
                try state.file.complete()
            }
            end(.success(()))
        } catch {
            end(.failure(error))
        }
    }

    private func write(_ bytes: [UInt8], _ state: inout State) throws(HTTPError) {
        if state.file.isUntouched, state.head.status == 206,
            state.head.headers["content-range"]?.hasPrefix("bytes \(state.file.size)-") != true
        {
            throw HTTPError(.badResponse, "\(request.target) sent another part of the file than the one asked for.")
        }
        try state.file.write(bytes, startingOver: state.head.status == 200, version: state.head.headers["etag"])
    }

    private func end(_ result: Result<Void, any Error>) {
        let waiter = state.withLock {
            if $0.result == nil { $0.result = result }
            return exchange(&$0.waiter, with: nil)
        }
        waiter?.resume(with: result)
    }
}
