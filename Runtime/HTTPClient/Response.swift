extension HTTPClient {
    package struct Response: Sendable {
        package let status: Int
        package let headers: [Field]
        package let body: Body

        package var isSuccess: Bool { (200..<300).contains(status) }
    }

    /// The body in pieces as they come, for one reader. The peer is held back while the reader lags.
    /// Letting go of the response before the end closes its connection.
    package struct Body: AsyncSequence, Sendable {
        package typealias Element = [UInt8]

        let exchange: Exchange
        let lease: Lease

        package struct AsyncIterator: AsyncIteratorProtocol {
            let body: Body

            /// - Throws: ``HTTPError``, or `CancellationError`.
            package mutating func next() async throws -> [UInt8]? {
                let (exchange, lease) = (body.exchange, body.lease)
                return try await withTaskCancellationHandler {
                    try Task.checkCancellation()
                    return try await exchange.next { lease.resume() }
                } onCancel: {
                    lease.cancel()
                    exchange.end(CancellationError())
                }
            }
        }

        package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }

        /// The whole body.
        /// - Throws: ``HTTPError`` of code `badResponse` when it is longer than `limit` bytes.
        package func collect(upTo limit: Int) async throws -> [UInt8] {
            var all: [UInt8] = []
            for try await chunk in self {
                guard all.count + chunk.count <= limit else {
                    throw HTTPError(.badResponse, "The response is larger than the \(limit) bytes that are taken here.")
                }
                all += chunk
            }
            return all
        }
    }

    /// A running transfer's right to its connection: the last holder that lets go cancels what is left of it.
    final class Lease: Sendable {
        private let driver: Driver
        private let transfer: Transfer

        init(_ transfer: Transfer, on driver: Driver) {
            self.driver = driver
            self.transfer = transfer
        }

        deinit { cancel() }

        func start() { driver.add(transfer) }
        func resume() { driver.resume(transfer) }
        func cancel() { driver.cancel(transfer) }
    }

    /// Loads libcurl now, which takes some milliseconds, and not with the first request. Blocks.
    package static func prepare() { _ = Driver.shared }

    /// Sends `request` and returns as soon as the response's head is there.
    ///
    /// A status is not an error here. Cancelling the task closes the connection at once.
    /// - Throws: ``HTTPError``, or `CancellationError`.
    package static func send(_ request: Request) async throws -> Response {
        let exchange = Exchange()
        let lease = Lease(Transfer(request, receiver: exchange), on: try Driver.shared.get())
        return try await withTaskCancellationHandler {
            let head = try await exchange.head { lease.start() }
            return Response(status: head.status, headers: head.headers, body: Body(exchange: exchange, lease: lease))
        } onCancel: {
            lease.cancel()
            exchange.end(CancellationError())
        }
    }
}
