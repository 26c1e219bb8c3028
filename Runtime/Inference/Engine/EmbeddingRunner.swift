/// Embeds texts with a ``TextEncoder``, many at once.
final class EmbeddingRunner: Runner {
    struct Job: Sendable {
        let texts: [[Token]]
        let continuation: CheckedContinuation<[[Float]], any Error>
        let cancellation: CancellationFlag
    }

    private struct Request {
        let job: Job
        var vectors: [[Float]]
        var left: Int
    }

    private let encoder: any TextEncoder
    private let load: LoadGauge
    private var queue: EmbeddingQueue
    private var requests: [EmbeddingQueue.RequestID: Request] = [:]
    private var nextID = 0

    init(_ encoder: any TextEncoder, tokensPerStep: Int, load: LoadGauge) {
        (self.encoder, self.load) = (encoder, load)
        queue = EmbeddingQueue(tokensPerStep: tokensPerStep)
    }

    var hasWork: Bool { !requests.isEmpty }

    func accept(_ job: Job) {
        requests[nextID] = Request(job: job, vectors: Array(repeating: [], count: job.texts.count), left: job.texts.count)
        queue.add(nextID, lengths: job.texts.map(\.count))
        nextID += 1
    }

    func step() {
        for (id, request) in requests where request.job.cancellation.isSet { end(id, CancellationError()) }
        let items = queue.nextBatch()
        load.set(running: items.count, waiting: queue.count)
        let vectors = encoder.embed(items.compactMap { requests[$0.request]?.job.texts[$0.index] })
        for (item, vector) in zip(items, vectors) {
            guard vector.allSatisfy(\.isFinite) else {
                end(item.request, InferenceError.notNumbers)
                continue
            }
            requests[item.request]?.vectors[item.index] = vector
            requests[item.request]?.left -= 1
            if let request = requests[item.request], request.left == 0 {
                requests[item.request] = nil
                request.job.continuation.resume(returning: request.vectors)
            }
        }
        load.set(running: 0, waiting: queue.count)
    }

    func abandon(_ error: InferenceError) {
        for id in requests.keys { end(id, error) }
        load.set(running: 0, waiting: 0)
    }

    private func end(_ id: EmbeddingQueue.RequestID, _ error: any Error) {
        requests.removeValue(forKey: id)?.job.continuation.resume(throwing: error)
        queue.remove(id)
    }
}
