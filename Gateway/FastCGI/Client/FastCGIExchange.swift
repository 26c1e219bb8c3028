import NIOCore
import Synchronization

/// One response on its way from the connection's event loop to the one task that reads it.
///
/// The handler ends every exchange, and the connection's end is one, so that no wait is for good: who is cancelled closes the connection.
final class FastCGIExchange: Sendable {
    /// Whether the reader shall be given more.
    enum Demand { case more, enough }

    /// Pieces that wait before no more are read. A piece is at most a record's 65,535 bytes, so that at most half a megabyte waits.
    private static let most = 8
    /// When so few are left, more are read.
    private static let least = 2

    private struct State {
        var head: CGIResponseHead?
        var pieces: CircularBuffer<ByteBuffer> = []
        var end: Result<Void, any Error>?
        var hasEnough = false
        var reader: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let demand: @Sendable () -> Void

    /// - Parameter demand: called, on any thread, when the reader has caught up after it had enough.
    init(demand: @escaping @Sendable () -> Void) {
        self.demand = demand
    }

    // MARK: From the connection

    func begin(_ head: CGIResponseHead) { change { $0.head = head } }

    func yield(_ piece: ByteBuffer) -> Demand {
        change { state in
            state.pieces.append(piece)
            // Until the reader has caught up: the connection pauses but once.
            state.hasEnough = state.hasEnough || state.pieces.count >= Self.most
            return state.hasEnough ? .enough : .more
        }
    }

    /// - Parameter error: why the response is not whole.
    func finish(_ error: (any Error)?) { change { $0.end = $0.end ?? error.map { .failure($0) } ?? .success(()) } }

    @discardableResult
    private func change<Value>(_ body: (inout State) -> Value) -> Value {
        let (value, reader) = state.withLock { state in
            let value = body(&state)
            defer { state.reader = nil }
            return (value, state.reader)
        }
        reader?.resume()
        return value
    }

    // MARK: To the reader

    func head() async throws -> CGIResponseHead {
        while true {
            let (head, end) = state.withLock { ($0.head, $0.end) }
            if let head { return head }
            try end?.get()
            await somethingNew { $0.head != nil }
        }
    }

    /// The next piece of the body; `nil` at its end.
    func next() async throws -> ByteBuffer? {
        while true {
            let (piece, end, wantsMore) = state.withLock { state in
                let piece = state.pieces.popFirst()
                let wantsMore = state.hasEnough && state.pieces.count <= Self.least
                if wantsMore { state.hasEnough = false }
                return (piece, state.end, wantsMore)
            }
            if wantsMore { demand() }
            if let piece { return piece }
            if let end {
                try end.get()
                return nil
            }
            await somethingNew { !$0.pieces.isEmpty }
        }
    }

    private func somethingNew(_ isThere: (borrowing State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if isThere(state) || state.end != nil { return true }
                state.reader = continuation
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}
