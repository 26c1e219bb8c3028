/// Requests that wait, by caller: first in, first out within a key, and between keys by start-time fair queueing
/// (Goyal, Vin and Cheng, 1996), so that one key's burst delays another's single call by one turn and not by the burst.
package struct FairQueue {
    package typealias Instant = ContinuousClock.Instant

    package struct Entry {
        package let id: FunctionPool.RequestID
        package let key: String
        /// How much of the key's turn it uses: 1 for a usual call.
        package let weight: Double
        package let deadline: Instant
        /// The virtual time at which its turn begins.
        fileprivate var start = 0.0
        fileprivate var arrival = 0

        package init(id: FunctionPool.RequestID, key: String, weight: Double, deadline: Instant) {
            self.id = id
            self.key = key
            self.weight = weight
            self.deadline = deadline
        }
    }

    private struct Line {
        var entries: [Entry] = []
        /// The virtual time at which the key's last turn ends.
        var finish = 0.0
    }

    private var lines: [String: Line] = [:]
    private var virtualTime = 0.0
    private var arrivals = 0
    package private(set) var count = 0
    /// The sum of the weights of all that wait.
    package private(set) var weight = 0.0

    package init() {}

    package var isEmpty: Bool { count == 0 }
    package var earliestDeadline: Instant? { isEmpty ? nil : lines.values.lazy.flatMap(\.entries).map(\.deadline).min() }

    package mutating func append(_ entry: Entry) {
        var entry = entry
        arrivals += 1
        entry.arrival = arrivals
        entry.start = max(virtualTime, lines[entry.key]?.finish ?? 0)
        lines[entry.key, default: Line()].finish = entry.start + entry.weight
        lines[entry.key]?.entries.append(entry)
        count += 1
        weight += entry.weight
    }

    /// The entry whose turn it is.
    package var first: Entry? {
        guard !isEmpty else { return nil }
        return lines.values.lazy.compactMap(\.entries.first).min { ($0.start, $0.arrival) < ($1.start, $1.arrival) }
    }

    package mutating func popFirst() -> Entry? {
        guard let first else { return nil }
        lines[first.key]?.entries.removeFirst()
        virtualTime = first.start
        forget(first)
        return first
    }

    @discardableResult
    package mutating func remove(_ id: FunctionPool.RequestID) -> Entry? {
        for (key, line) in lines {
            guard let index = line.entries.firstIndex(where: { $0.id == id }) else { continue }
            let entry = line.entries[index]
            lines[key]?.entries.remove(at: index)
            forget(entry)
            return entry
        }
        return nil
    }

    /// Takes out all that are past their deadline, or all there are.
    package mutating func removeAll(before now: Instant? = nil) -> [Entry] {
        let late = lines.values.flatMap(\.entries).filter { entry in now.map { entry.deadline <= $0 } ?? true }
        for entry in late { remove(entry.id) }
        return late.sorted { $0.arrival < $1.arrival }
    }

    /// The newest entry of the key that has the most, if that is more than `key` would have with one more: what gives way in a full queue.
    package func newest(ofMoreThan key: String) -> Entry? {
        guard let longest = lines.values.max(by: { $0.entries.count < $1.entries.count }),
            longest.entries.count > (lines[key]?.entries.count ?? 0) + 1
        else { return nil }
        return longest.entries.last
    }

    /// How many would be served before a new entry of `key`.
    package func countAhead(of key: String) -> Int {
        let own = lines[key]?.entries.count ?? 0
        return lines.reduce(0) { $0 + ($1.key == key ? own : min($1.value.entries.count, own + 1)) }
    }

    private mutating func forget(_ entry: Entry) {
        count -= 1
        weight = count == 0 ? 0 : weight - entry.weight
        // A key that has had no more than its share is as a new one.
        if lines[entry.key]?.entries.isEmpty == true, isEmpty || lines.count > 64 {
            lines = lines.filter { !$0.value.entries.isEmpty || $0.value.finish > virtualTime }
        }
    }
}
