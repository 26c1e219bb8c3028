/// A function as requests see it: its versions, and which of them a caller gets.
package struct ServedFunction: Sendable {
    package let name: String
    /// By version number; the shares are percent.
    private let versions: [(runner: FunctionRunner, share: Int)]

    init(name: String, versions: [(runner: FunctionRunner, share: Int)]) {
        self.name = name
        self.versions = versions
    }

    /// The routes of all versions that have traffic.
    package var routes: [Route] {
        var seen: Set<Route> = []
        return versions.flatMap(\.runner.manifest.routes).filter { seen.insert($0).inserted }
    }

    /// The version that answers `key` on `route`, always the same while the traffic is not split anew. Where only some versions
    /// have the route, they share it.
    package func runner(for route: Route, key: String) -> FunctionRunner? {
        let able = versions.filter { $0.runner.manifest.routes.contains(route) }
        return TrafficSplit.choose(able.map(\.share), for: key, of: name).map { able[$0].runner }
    }
}

/// Who gets which version: by the caller's key, so that nobody sees versions alternate.
package enum TrafficSplit {
    /// The index of the share that `key` falls into. A growing last share takes keys over and gives none back.
    package static func choose(_ shares: [Int], for key: String, of function: String) -> Int? {
        let total = shares.reduce(0, +)
        guard shares.count > 1, total > 0 else { return shares.isEmpty ? nil : 0 }
        var place = Int(hash("\(function)/\(key)") % UInt64(total))
        for (index, share) in shares.enumerated() {
            if place < share { return index }
            place -= share
        }
        return nil
    }

    /// FNV-1a with the finalizer of SplitMix64, because the low bits of FNV alone follow the last character.
    private static func hash(_ text: String) -> UInt64 {
        var hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        return hash ^ (hash >> 31)
    }
}
