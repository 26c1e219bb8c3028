import Grammar
import Inference
import Synchronization
import Wire

/// The grammars that a model's answers are held to, made for its vocabulary; the last ones used are kept.
final class Grammars: Sendable {
    private struct State {
        /// By the control tokens that stand for their names.
        var tries: [[Token: [UInt8]]: TokenTrie] = [:]
        var grammars: [AnswerForm: CompiledGrammar] = [:]
        /// The longest unused first.
        var order: [AnswerForm] = []
    }

    private static let most = 32
    private let tokenizer: any Tokenizer
    private let state = Mutex(State())

    init(_ tokenizer: any Tokenizer) { self.tokenizer = tokenizer }

    /// - Parameter spelled: control tokens that show in the answer, as the marks around calls do.
    /// - Throws: ``APIError`` with status 400 that says what in the schema or grammar cannot be used.
    func grammar(for form: AnswerForm, spelled: [Token: [UInt8]] = [:]) throws -> CompiledGrammar {
        try state.withLock { state in
            state.order.removeAll { $0 == form }
            state.order.append(form)
            if let known = state.grammars[form] { return known }
            let trie = state.tries[spelled] ?? TokenTrie(
                vocabularyCount: tokenizer.vocabularyCount, bytes: { spelled[$0] ?? tokenizer.bytes(of: $0) }, ends: tokenizer.isEndOfGeneration)
            state.tries[spelled] = trie
            let grammar: CompiledGrammar
            do {
                grammar = switch form {
                case .anyObject: try CompiledGrammar.anyObject(for: trie)
                case .schema(let schema): try CompiledGrammar(schema: schema, for: trie)
                case .grammar(let text): try CompiledGrammar(gbnf: text, for: trie)
                case .calls(let frame): try CompiledGrammar(frame, for: trie)
                }
            } catch let error as GrammarError {
                state.order.removeLast()
                throw APIError.wrongValue(form.field, error.message)
            }
            state.grammars[form] = grammar
            if state.order.count > Self.most { state.grammars[state.order.removeFirst()] = nil }
            return grammar
        }
    }
}
