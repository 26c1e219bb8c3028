/// What lies between the driver, which brings bytes, and the one task that takes them. Decides only; ``Exchange`` acts.
struct BodyBuffer<Reader> {
    /// From here on the peer must wait. One chunk from libcurl (at most 16 KiB) may go over it.
    static var limit: Int { 256 * 1024 }

    enum Next {
        case chunk([UInt8], resume: Bool)
        case end
        case failure(any Error)
        case wait
    }

    private var bytes: [UInt8] = []
    private var end: Result<Void, any Error>?
    private var reader: Reader?
    private(set) var isPaused = false

    /// - Returns: whether there was room, and the reader to wake with ``next()``'s answer.
    mutating func append(_ new: [UInt8]) -> (taken: Bool, wake: Reader?) {
        guard bytes.count < Self.limit else {
            isPaused = true
            return (false, nil)
        }
        if bytes.isEmpty { bytes = new } else { bytes += new }
        return (true, takeReader())
    }

    /// The first end counts. A failure does not throw away bytes that came before it.
    mutating func finish(_ result: Result<Void, any Error>) -> Reader? {
        if end == nil { end = result }
        return takeReader()
    }

    /// Everything there is, or why there is nothing.
    mutating func next() -> Next {
        if !bytes.isEmpty {
            defer { isPaused = false }
            return .chunk(exchange(&bytes, with: []), resume: isPaused)
        }
        switch end {
        case .success: return .end
        case .failure(let error): return .failure(error)
        case nil: return .wait
        }
    }

    mutating func wait(_ reader: Reader) { self.reader = reader }

    private mutating func takeReader() -> Reader? { exchange(&reader, with: nil) }
}

/// Puts `new` in place and returns what was there.
func exchange<T>(_ place: inout T, with new: T) -> T {
    defer { place = new }
    return place
}
