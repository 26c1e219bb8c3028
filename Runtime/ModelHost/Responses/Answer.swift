import FoundationEssentials
import Hummingbird
import Inference
import Ledger
import Logging
import NIOCore
import Wire

/// A generation on its way to the caller. When the caller goes, the generation ends at the next token.
final class Answer: Sendable {
    private let generation: Generation
    private let prompt: ChatPrompt?
    private let call: Call
    private let entry: Tally.Entry
    private let usage: Task<TokenUsage, any Error>
    private let shape: TextShape
    private let logger: Logger

    /// - Parameters:
    ///   - prompt: how the answer is read; `nil` for one that is plain text.
    ///   - entry: where tokens are counted before their text is sent.
    ///   - usage: comes when the ledger holds it; the caller hears of no end before.
    init(
        generation: Generation, prompt: ChatPrompt?, call: Call, entry: Tally.Entry, usage: Task<TokenUsage, any Error>, shape: TextShape,
        logger: Logger
    ) {
        (self.generation, self.prompt) = (generation, prompt)
        (self.call, self.entry, self.usage, self.shape, self.logger) = (call, entry, usage, shape, logger)
    }

    /// An answer that nobody fetches: its connection closed before the response began.
    deinit { generation.cancel() }

    /// The answer as one object.
    func whole() async throws -> Response {
        try await whileCallerListens {
            var reader = AnswerReader(prompt)
            var text = AnswerText()
            // Nothing is out before it is billed, so there is nothing for the tally: if the host dies, the call may be made again.
            for await case .text(let piece, _) in generation.events { text += reader.append(piece) }
            let (outcome, usage) = try await end()
            text += reader.finish()
            return try Response.json(
                shape.body(text: text, finishReason: reader.finishReason(outcome), usage: usage, timings: Timings(outcome)))
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
        if let opening = shape.opening { try await writer.write(event(opening)) }
        var reader = AnswerReader(prompt)
        for await case .text(let piece, let tokens) in generation.events where !piece.isEmpty {
            entry.add(tokens)
            for text in reader.append(piece) { try await write(text, to: &writer) }
        }
        do {
            let (outcome, usage) = try await end()
            for text in reader.finish() { try await write(text, to: &writer) }
            var last = try event(shape.ending(finishReason: reader.finishReason(outcome), timings: Timings(outcome)))
            if shape.streamsUsage { last.writeImmutableBuffer(try event(shape.closing(usage: usage))) }
            last.writeString("data: [DONE]\n\n")
            try await writer.write(last)
        } catch {
            // The status has long been sent: an error is the last event, and there is no [DONE].
            try await writer.write(event(APIError(error, logger: logger)))
        }
    }

    private func write(_ text: AnswerText, to writer: inout any ResponseBodyWriter) async throws {
        for chunk in shape.chunks(of: text) { try await writer.write(event(chunk)) }
    }

    /// - Throws: ``APIError`` when the answer did not come to its own end, or could not be charged.
    private func end() async throws -> (Generation.Outcome, TokenUsage) {
        let outcome = await generation.outcome
        let usage = try await usage.value
        switch outcome.finishReason {
        case .stop, .length: return (outcome, usage)
        case .failed(let error): throw error
        case .cancelled:
            throw Date.now < call.token.expires
                ? APIError.overloaded("The model host is being stopped. Try again.")
                : APIError.timeout("The answer was not complete at the invocation's deadline.")
        }
    }

    /// Ends the generation when the caller closes the connection, or its invocation's deadline passes.
    private func whileCallerListens<Value>(_ body: () async throws -> Value) async throws -> Value {
        let remaining = min(call.token.expires.timeIntervalSinceNow, 86_400)
        let deadline = Task { [generation] in
            try await Task.sleep(for: .seconds(remaining))
            generation.cancel()
        }
        defer { deadline.cancel() }
        return try await call.caller.whilePresent(hangUp: { [generation] in generation.cancel() }, body)
    }

    private func event(_ value: some Encodable) throws -> ByteBuffer {
        var buffer = ByteBuffer(string: "data: ")
        buffer.writeBytes(try JSON.encode(value))
        buffer.writeString("\n\n")
        return buffer
    }
}
