import GRDB
import Synchronization
import Wire

/// One try at a call of a function. A request that may be sent twice gets a second one when the first one's worker has died.
///
/// Functions call functions, so a try has its place in another one: what it is part of comes first in its path. Whoever gives up a
/// try gives up all that was made for it.
package struct Attempt: Hashable, Sendable {
    /// Numbers, each with a slash after it: `17/4/`. Empty for the whole invocation.
    let path: String

    init(path: String) { self.path = path }

    /// What is tried but once is part of what calls it, in the end of the invocation.
    package static let whole = Attempt(path: "")

    private static let numbers = Atomic<UInt>(1)

    /// A try within this one, unlike any other of this process; only one process makes those of an invocation.
    package func next() -> Attempt {
        Attempt(path: "\(path)\(String(Self.numbers.add(1, ordering: .relaxed).oldValue, radix: 36))/")
    }

    func isPart(of other: Attempt) -> Bool { path.hasPrefix(other.path) }

    /// SQL that tells whether the attempt in the column `part` is part of the one in `whole`.
    static func isPart(_ part: String, of whole: String) -> String { "substr(\(part), 1, length(\(whole))) = \(whole)" }

    /// SQL that tells whether the attempt in the column `part` of `invocation` was given up.
    static func isGivenUp(_ part: String, of invocation: String) -> String {
        "EXISTS (SELECT 1 FROM given_up WHERE given_up.invocation = \(invocation) AND \(isPart(part, of: "given_up.attempt")))"
    }
}
