import FoundationEssentials
import Hummingbird
import Inference
import Ledger
import Logging
import NIOCore
import Wire

/// A call's answers on their way to the caller. When the caller goes, all of them end at their next token.
final class Answer: Sendable {
    private let choices: [AnswerChoice]
    private let tokenizer: any Tokenizer
    private let call: Call
    private let entry: Tally.Entry
    private let usage: Task<TokenUsage, any Error>
    private let shape: TextShape
    private let logger: Logger

    /// - Parameters:
    ///   - choices: at least one, in their order.
    ///   - entry: where tokens are counted before their text is sent.
    ///   - usage: comes when the ledger holds it; the caller hears of no end before.
    init(
        _ choices: [AnswerChoice], _ tokenizer: any Tokenizer, call: Call, entry: Tally.Entry, usage: Task<TokenUsage, any Error>,
        shape: TextShape, logger: Logger
    ) {
        (self.choices, self.tokenizer) = (choices, tokenizer)
        (self.call, self.entry, self.usage, self.shape, self.logger) = (call, entry, usage, shape, logger)
    }

    /// An answer that nobody fetches: its connection closed before the response began.
    deinit { cancel() }

    private func cancel() {
        for choice in choices { choice.generation.cancel() }
    }

    /// The answer as one object.
    func whole() async throws -> Response {
        try await whileCallerListens {
            var readers = choices.map { ChoiceReader($0, tokenizer) }
            var texts = readers.map { reader in
                var text = AnswerText()
                text += reader.beginning
                return text
            }
            // Nothing is out before it is billed, so there is nothing for the tally: if the host dies, the call may be made again.
            try await read { texts[$0] += readers[$0].read($1) }
            let (outcomes, usage) = try await end()
            for index in texts.indices { texts[index].scores += readers[index].restOfScores() }
            let reasons = zip(readers, outcomes).map { $0.finishReason($1) }
            return try Response.json(
                shape.body(
                    choices: zip(texts, reasons).map { (text: $0, finishReason: $1) }, usage: usage,
                    timings: Timings(CallOutcome(choices, outcomes))))
        }
    }

    /// The answer as server-sent events.
    func stream() -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                try await self.whileCallerListens { try await self.write(to: &writer) }
                try await writer.finish(nil)
            })
    }

    private func write(to writer: inout any ResponseBodyWriter) async throws {
        var readers = choices.map { ChoiceReader($0, tokenizer) }
        for (index, reader) in readers.enumerated() {
            if let opening = shape.opening(index) { try await writer.write(event(opening)) }
            try await write(reader.beginning, of: index, to: &writer)
        }
        do {
            try await read { index, event in
                if case .text(_, let tokens) = event { entry.add(tokens) }
                try await write(readers[index].read(event), of: index, to: &writer)
            }
            let (outcomes, usage) = try await end()
            var last = ByteBuffer()
            for index in readers.indices {
                let timings = index == readers.count - 1 ? Timings(CallOutcome(choices, outcomes)) : nil
                let reason = readers[index].finishReason(outcomes[index])
                last.writeImmutableBuffer(
                    try event(shape.ending(index, finishReason: reason, rest: readers[index].restOfScores(), timings: timings)))
            }
            if shape.streamsUsage { last.writeImmutableBuffer(try event(shape.closing(usage: usage))) }
            last.writeString("data: [DONE]\n\n")
            try await writer.write(last)
        } catch {
            // The status has long been sent: an error is the last event, and there is no [DONE].
            try await writer.write(event(APIError(error, logger: logger)))
        }
    }

    private func write(_ texts: [AnswerText], of index: Int, to writer: inout any ResponseBodyWriter) async throws {
        for text in texts {
            for chunk in shape.chunks(index, text) { try await writer.write(event(chunk)) }
        }
    }

    // MARK: Reading

    /// Gives what the generations say as it comes, with each one's place, until all have ended. When one fails, the others
    /// are not gone on with.
    private func read(_ body: (Int, Generation.Event) async throws -> Void) async throws {
        let (events, merged) = AsyncStream.makeStream(of: (place: Int, event: Generation.Event).self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (place, choice) in choices.enumerated() {
                group.addTask {
                    // They come before all else.
                    if let scorer = choice.scorer { merged.yield((place, .promptScores(await scorer.promptScores))) }
                    for await event in choice.generation.events { merged.yield((place, event)) }
                }
            }
            var left = choices.count
            for await (place, event) in events {
                try await body(place, event)
                guard case .finished(let outcome) = event else { continue }
                if case .failed = outcome.finishReason { cancel() }
                left -= 1
                if left == 0 { break }
            }
        }
    }

    /// - Throws: ``APIError`` when an answer did not come to its own end, or they could not be charged.
    private func end() async throws -> ([Generation.Outcome], TokenUsage) {
        var outcomes: [Generation.Outcome] = []
        for choice in choices { outcomes.append(await choice.generation.outcome) }
        let usage = try await usage.value
        switch CallOutcome(choices, outcomes).finishReason {
        case .stop, .length: return (outcomes, usage)
        case .failed(let error): throw error
        case .cancelled:
            throw Date.now < call.token.expires
                ? APIError.overloaded("The model host is being stopped. Try again.")
                : APIError.timeout("The answer was not complete at the invocation's deadline.")
        }
    }

    /// Ends the generations when the caller closes the connection, or its invocation's deadline passes.
    private func whileCallerListens<Value>(_ body: () async throws -> Value) async throws -> Value {
        let remaining = min(call.token.expires.timeIntervalSinceNow, 86_400)
        let generations = choices.map(\.generation)
        let deadline = Task {
            try await Task.sleep(for: .seconds(remaining))
            for generation in generations { generation.cancel() }
        }
        defer { deadline.cancel() }
        return try await call.caller.whilePresent(hangUp: { for generation in generations { generation.cancel() } }, body)
    }

    private func event(_ value: some Encodable) throws -> ByteBuffer {
        var buffer = ByteBuffer(string: "data: ")
        buffer.writeBytes(try JSON.encode(value))
        buffer.writeString("\n\n")
        return buffer
    }
}
