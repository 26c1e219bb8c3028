/// An expression as it was read.
struct Expression: Sendable {
    indirect enum Kind: Sendable {
        case constant(Constant)
        case name(String)
        case list([Expression])
        case tuple([Expression])
        case dict([(key: Expression, value: Expression)])
        case attribute(Expression, String)
        case item(Expression, Expression)
        case slice(Expression, from: Expression?, to: Expression?, step: Expression?)
        case call(Expression, CallArguments)
        /// Of `nil`: what a `filter` statement or a block `set` has rendered.
        case filter(Expression?, String, CallArguments)
        case test(Expression, String, CallArguments)
        case not(Expression)
        case negative(Expression)
        case positive(Expression)
        case arithmetic(Arithmetic, Expression, Expression)
        case concatenation([Expression])
        case comparison(Expression, [(Comparison, Expression)])
        case and(Expression, Expression)
        case or(Expression, Expression)
        case conditional(Expression, then: Expression, otherwise: Expression?)
    }

    let kind: Kind
    let line: Int
    /// How deep expressions stand in each other, which is how deep evaluation goes.
    let height: Int

    init(_ kind: Kind, line: Int) throws {
        (self.kind, self.line) = (kind, line)
        height = 1 + kind.parts.reduce(0) { max($0, $1.height) }
        guard height <= Limits.expressionHeight else { throw TemplateError("the expression is too deep", line: line) }
    }
}

enum Constant: Sendable {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    case text(Text)
}

enum Arithmetic: String, Sendable {
    case add = "+", subtract = "-", multiply = "*", divide = "/", floorDivide = "//", modulo = "%", power = "**"
}

enum Comparison: String, Sendable {
    case equal = "==", notEqual = "!=", less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">="
    case isIn = "in", isNotIn = "not in"
}

struct CallArguments: Sendable {
    var positional: [Expression] = []
    var keywords: [(name: String, value: Expression)] = []
    /// `*list` and `**dict`.
    var unpackedList: Expression?
    var unpackedDict: Expression?

    var parts: [Expression] { positional + keywords.map(\.value) + [unpackedList, unpackedDict].compactMap { $0 } }
}

extension Expression.Kind {
    fileprivate var parts: [Expression] {
        switch self {
        case .constant, .name: []
        case .list(let items), .tuple(let items), .concatenation(let items): items
        case .dict(let entries): entries.flatMap { [$0.key, $0.value] }
        case .attribute(let value, _), .not(let value), .negative(let value), .positive(let value): [value]
        case .item(let value, let index): [value, index]
        case .slice(let value, let start, let end, let step): [value] + [start, end, step].compactMap { $0 }
        case .call(let function, let arguments): [function] + arguments.parts
        case .filter(let value, _, let arguments): (value.map { [$0] } ?? []) + arguments.parts
        case .test(let value, _, let arguments): [value] + arguments.parts
        case .arithmetic(_, let a, let b), .and(let a, let b), .or(let a, let b): [a, b]
        case .comparison(let value, let others): [value] + others.map(\.1)
        case .conditional(let condition, let then, let otherwise): [condition, then] + (otherwise.map { [$0] } ?? [])
        }
    }
}

/// A statement as it was read.
struct Statement: Sendable {
    indirect enum Kind: Sendable {
        case text(Text)
        case output(Expression)
        case choice([(condition: Expression, body: [Statement])], otherwise: [Statement])
        case loop(ForDefinition)
        case set(Target, Expression)
        case setBlock(Target, filter: Expression?, [Statement])
        case with([(Target, Expression)], [Statement])
        case macro(MacroDefinition)
        case call(Expression, caller: MacroDefinition)
        case filter(Expression, [Statement])
        case block([Statement])
        /// `{% generation %}`: transformers marks there what the assistant said; it renders as it stands.
        case generation([Statement])
        case leaveLoop
        case nextRound
        /// What jinja2 finds wrong only when it gets there.
        case failure(String)
    }

    let kind: Kind
    let line: Int
}

/// What a value can be given to.
indirect enum Target: Sendable {
    case name(String)
    /// `set namespace.name = …`
    case member(String, Text)
    case tuple([Target])

    var names: [String] {
        switch self {
        case .name(let name): [name]
        case .member: []
        case .tuple(let targets): targets.flatMap(\.names)
        }
    }
}

struct ForDefinition: Sendable {
    let target: Target
    let items: Expression
    let condition: Expression?
    let isRecursive: Bool
    let body: [Statement]
    let otherwise: [Statement]
}

struct MacroDefinition: Sendable {
    struct Parameter: Sendable {
        let name: String
        let initial: Expression?
    }

    let name: String
    let parameters: [Parameter]
    let body: [Statement]
    /// Which of `caller`, `varargs` and `kwargs` it names: others it does not accept.
    let uses: Set<String>
}
