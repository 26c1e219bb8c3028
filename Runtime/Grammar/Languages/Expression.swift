/// What a rule of a grammar allows, before it is made into an automaton.
indirect enum Expression: Hashable, Sendable {
    case text(String)
    /// One character of the set.
    case character(ScalarSet)
    case sequence([Expression])
    case choice([Expression])
    /// - `atMost`: `nil` is any number.
    case repeated(Expression, atLeast: Int, atMost: Int?)
    /// The rule with this number.
    case rule(Int)

    static let empty = Expression.sequence([])
    static func optional(_ expression: Expression) -> Expression { .repeated(expression, atLeast: 0, atMost: 1) }
    static func anyNumber(of expression: Expression) -> Expression { .repeated(expression, atLeast: 0, atMost: nil) }
}

/// Rules that call each other. The language is what rule 0 allows.
struct RuleSet: Sendable {
    struct Rule: Sendable {
        let name: String
        var expression: Expression
    }

    private(set) var rules: [Rule] = []

    subscript(number: Int) -> Expression {
        get { rules[number].expression }
        set { rules[number].expression = newValue }
    }

    /// Adds a rule whose expression may follow later, so that rules can call each other.
    /// - Returns: its number.
    mutating func add(_ name: String, _ expression: Expression = .empty) -> Int {
        rules.append(Rule(name: name, expression: expression))
        return rules.count - 1
    }
}
