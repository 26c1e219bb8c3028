/// An answer in the making.
///
/// It ends early with ``cancel()``, when the task that reads ``events`` is cancelled, and when nobody holds ``events`` any
/// more: at the next token.
package final class Generation: Sendable {
    package enum Event: Sendable {
        /// More of the answer: whole characters, and nothing that may turn out to be the start of a stop string.
        /// `tokens`: how many tokens were made since the event before.
        case text(String, tokens: Int)
        /// The next tokens of the answer, where ``GenerationRequest/topScores`` asks for them: right before the text that begins
        /// in them. Tokens that no text shows, at a stop string or the answer's end, are not told of.
        case scores([TokenScore])
        /// The prompt's tokens after the first, where ``GenerationRequest/scoresPrompt`` asks for them: the first event.
        case promptScores([TokenScore])
        /// Always the last event.
        case finished(Outcome)
    }

    package enum FinishReason: Hashable, Sendable {
        /// The model ended its answer, or a stop string came.
        case stop
        /// ``GenerationRequest/maximumTokens`` or the context's end was reached.
        case length
        case cancelled
        case failed(InferenceError)
    }

    package struct Timings: Hashable, Sendable {
        /// From the request until its prompt began to be evaluated.
        package var queued = Duration.zero
        /// From then until the first token.
        package var prefill = Duration.zero
        /// From the first token until the end.
        package var decode = Duration.zero
        /// From the request until the first token; `nil` where there was none.
        package var timeToFirstToken: Duration?
    }

    package struct Outcome: Hashable, Sendable {
        package var promptTokens: Int
        /// Those at the prompt's beginning whose keys and values were there from an earlier call.
        package var cachedTokens: Int
        /// All tokens that were made, with the one that ended the answer.
        package var completionTokens: Int
        /// How many tokens were guessed and evaluated, and how many of these the answer has.
        package var draftedTokens: Int
        package var acceptedTokens: Int
        package var finishReason: FinishReason
        package var timings: Timings
    }

    package let events: AsyncStream<Event>
    private let channel: Channel

    /// The engine's end of a generation.
    struct Channel: Sendable {
        let events: AsyncStream<Event>.Continuation
        let outcome = Promise<Outcome>()
        let promptScores = Promise<[TokenScore]>()
        let cancellation = CancellationFlag()

        func tell(promptScores: [TokenScore]) {
            events.yield(.promptScores(promptScores))
            self.promptScores.keep(promptScores)
        }

        func finish(_ outcome: Outcome) {
            promptScores.keep([])
            events.yield(.finished(outcome))
            events.finish()
            self.outcome.keep(outcome)
        }
    }

    init() {
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        self.events = events
        let channel = Channel(events: continuation)
        continuation.onTermination = { [cancellation = channel.cancellation] _ in cancellation.set() }
        self.channel = channel
    }

    var engineEnd: Channel { channel }

    package func cancel() { channel.cancellation.set() }

    /// What ``Event/promptScores(_:)`` tells, also for someone who does not read ``events``; nothing where that never comes.
    package var promptScores: [TokenScore] {
        get async { await channel.promptScores.value }
    }

    /// Comes when the answer has ended, also for someone who does not read ``events``.
    package var outcome: Outcome {
        get async { await channel.outcome.value }
    }
}
