/// A matrix and what is added to its products.
struct Linear<Bias: Sendable>: Sendable {
    let weight: Matrix
    let bias: Bias?

    func packed(in pack: WeightPack?) -> Linear { Linear(weight: weight.packed(in: pack), bias: bias) }
}

/// How attention's queries, keys and values are made.
enum Projections<Bias: Sendable>: Sendable {
    case apart(query: Linear<Bias>, key: Linear<Bias>, value: Linear<Bias>)
    /// Queries, then keys, then values.
    case joined(Linear<Bias>)

    func packed(in pack: WeightPack?) -> Projections {
        switch self {
        case .apart(let query, let key, let value):
            .apart(query: query.packed(in: pack), key: key.packed(in: pack), value: value.packed(in: pack))
        case .joined(let all): .joined(all.packed(in: pack))
        }
    }
}
