import HTTPTypes
import Supervisor

/// Who answers a request. Where several routes match, a literal segment goes before a parameter, from left to right;
/// a GET route answers HEAD, too, unless that has a route of its own.
package struct RouteTable<Target: Sendable>: Sendable {
    /// A request's way to its target.
    package struct Match: Sendable {
        package let target: Target
        package let route: Route
        /// The segments that the route's parameters stand for, in its order and as the path has them.
        package let parameters: [String]
    }

    private struct Entry {
        /// `nil` for a path that is answered elsewhere.
        let target: Target?
        let route: Route
        let segments: [RouteSegment]

        /// Whether it is looked at before `other`: only routes of as many segments can match the same path.
        func precedes(_ other: Entry) -> Bool {
            if segments.count != other.segments.count { return segments.count < other.segments.count }
            let difference = zip(segments, other.segments).first { ($0 == .parameter) != ($1 == .parameter) }
            return difference.map { $0.0 != .parameter } ?? (target != nil && other.target == nil)
        }
    }

    /// Routes without parameters by their paths.
    private var literal: [String: [Entry]] = [:]
    /// The others, the more particular ones first.
    private var patterns: [Entry] = []

    /// - Parameter others: routes that are answered elsewhere. Their paths are matched by no route here that is less particular.
    package init(_ routes: [(route: Route, target: Target)], beside others: [Route] = []) {
        for (route, target) in routes.map({ ($0.route, Optional($0.target)) }) + others.map({ ($0, nil) }) {
            let entry = Entry(target: target, route: route, segments: route.path.split(separator: "/").map(RouteSegment.init))
            if entry.segments.contains(.parameter) { patterns.append(entry) } else { literal[route.path, default: []].append(entry) }
        }
        patterns.sort { $0.precedes($1) }
    }

    /// - Returns: `nil` when no route is the request's.
    package func match(_ request: HTTPRequest) -> Match? {
        let uri = request.path ?? "/"
        let path = uri.utf8.firstIndex(of: UInt8(ascii: "?")).map { String(uri[..<$0]) } ?? uri
        if let entries = literal[path], let match = match(request.method, entries, []) { return match }
        // Slashes at the end, or several in a row, make no difference.
        let segments = path.split(separator: "/")
        let literals = literal["/" + segments.joined(separator: "/")] ?? []
        return match(request.method, literals + patterns.filter { RouteSegment.match($0.segments, segments) }, segments)
    }

    private func match(_ method: HTTPRequest.Method, _ entries: [Entry], _ segments: [Substring]) -> Match? {
        let entries = entries.prefix { $0.target != nil }
        let entry = entries.first { $0.route.method == method.rawValue }
            ?? (method == .head ? entries.first { $0.route.method == HTTPRequest.Method.get.rawValue } : nil)
        guard let entry, let target = entry.target else { return nil }
        let parameters = zip(segments, entry.segments).filter { $0.1 == .parameter }.map { String($0.0) }
        return Match(target: target, route: entry.route, parameters: parameters)
    }
}

private enum RouteSegment: Hashable {
    case literal(String)
    case parameter

    init(_ text: Substring) { self = text.hasPrefix("{") ? .parameter : .literal(String(text)) }

    static func match(_ segments: [RouteSegment], _ path: [Substring]) -> Bool {
        guard path.count == segments.count else { return false }
        return zip(segments, path).allSatisfy { segment, text in
            switch segment {
            case .literal(let literal): literal == text
            case .parameter: true
            }
        }
    }
}
