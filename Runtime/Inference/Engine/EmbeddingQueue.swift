/// Decides which texts are embedded together: up to a number of tokens at once, and in turn from all requests, so that one
/// with a single question does not wait for one with a thousand documents.
package struct EmbeddingQueue {
    package typealias RequestID = Int

    package struct Item: Hashable {
        package let request: RequestID
        /// Which of its texts.
        package let index: Int

        package init(request: RequestID, index: Int) {
            (self.request, self.index) = (request, index)
        }
    }

    private struct Request {
        let id: RequestID
        let lengths: [Int]
        var next = 0
    }

    private let tokensPerStep: Int
    private var requests: [Request] = []

    package init(tokensPerStep: Int) { self.tokensPerStep = tokensPerStep }

    package var count: Int { requests.count }

    /// - Parameter lengths: the tokens of each text; at least one text.
    package mutating func add(_ id: RequestID, lengths: [Int]) {
        requests.append(Request(id: id, lengths: lengths))
    }

    package mutating func remove(_ id: RequestID) {
        requests.removeAll { $0.id == id }
    }

    /// The texts to embed now: at least one if there is any, however long.
    package mutating func nextBatch() -> [Item] {
        var items: [Item] = []
        var room = tokensPerStep
        while let request = requests.first, items.isEmpty || request.lengths[request.next] <= room {
            room -= request.lengths[request.next]
            items.append(Item(request: request.id, index: request.next))
            var turn = requests.removeFirst()
            turn.next += 1
            if turn.next < turn.lengths.count { requests.append(turn) }
        }
        return items
    }
}
