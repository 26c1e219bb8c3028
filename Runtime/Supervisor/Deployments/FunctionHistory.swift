import FoundationEssentials

/// The versions of one function: which are kept, and which share of the calls each gets.
package struct FunctionHistory: Codable, Hashable, Sendable {
    package struct Version: Codable, Hashable, Sendable {
        /// Counted from one over the function's whole life; shown as `v1`.
        package let number: Int
        /// SHA-256 of the folder's content, shortened.
        package let fingerprint: String
        package let accepted: Date

        package var name: String { "v\(number)" }
    }

    package struct Mistake: Error, CustomStringConvertible {
        package let description: String
    }

    /// How many versions stay on the disk, beside those that have traffic.
    package static let kept = 3

    /// Oldest first.
    package private(set) var versions: [Version] = []
    /// Percent by version number; adds up to 100 unless there is no version.
    package private(set) var traffic: [Int: Int] = [:]
    /// What the folder in the functions directory looked like when its content was last taken or found unchanged.
    package var stamp = ""
    private var next = 1

    package init() {}

    package var newest: Version? { versions.last }
    package var nextNumber: Int { next }

    package subscript(number: Int) -> Version? { versions.first { $0.number == number } }

    /// Takes a new version that has proven itself; it gets all traffic.
    /// - Returns: the versions that are no longer kept.
    package mutating func accept(fingerprint: String, at time: Date) -> [Version] {
        versions.append(Version(number: next, fingerprint: fingerprint, accepted: time))
        traffic = [next: 100]
        next += 1
        return prune()
    }

    /// Gives all traffic to the version before the oldest one that has any.
    /// - Throws: ``Mistake`` when no such version is kept.
    package mutating func rollback() throws -> Version {
        let serving = traffic.keys.min() ?? 0
        guard let earlier = versions.last(where: { $0.number < serving }) else {
            throw Mistake(description: "there is no version before \(serving > 0 ? "v\(serving)" : "it"); kept are \(names)")
        }
        traffic = [earlier.number: 100]
        return earlier
    }

    /// Splits the traffic.
    /// - Parameter shares: percent by version number.
    /// - Throws: ``Mistake`` when a version is not kept or the shares do not add up to 100.
    package mutating func split(_ shares: [Int: Int]) throws {
        for number in shares.keys.sorted() where self[number] == nil {
            throw Mistake(description: "there is no version v\(number); kept are \(names)")
        }
        guard shares.values.allSatisfy({ (0...100).contains($0) }), shares.values.reduce(0, +) == 100 else {
            throw Mistake(description: "the shares must be percent and add up to 100, for example v3=90 v4=10")
        }
        traffic = shares.filter { $0.value > 0 }
        // A version that lost its traffic stays for a rollback until the next one is accepted.
    }

    /// The function was removed: nothing is kept but the count, so that a number never means two things.
    package mutating func removeAll() {
        versions = []
        traffic = [:]
        stamp = ""
    }

    private mutating func prune() -> [Version] {
        let staying = Set(versions.suffix(Self.kept).map(\.number)).union(traffic.keys)
        let gone = versions.filter { !staying.contains($0.number) }
        versions.removeAll { !staying.contains($0.number) }
        return gone
    }

    private var names: String { versions.isEmpty ? "none" : versions.map(\.name).joined(separator: ", ") }
}
