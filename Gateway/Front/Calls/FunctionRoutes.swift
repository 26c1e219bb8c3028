import HTTPTypes
import Supervisor

/// Which function answers a request. Where several routes match, a literal segment goes before a parameter, from left to right;
/// a GET route answers HEAD, too, unless that has a route of its own.
package struct FunctionRoutes: Sendable {
    /// A request's way to a function.
    package struct Match: Sendable {
        package let function: ServedFunction
        package let route: Route
        /// The segments that the route's parameters stand for, in its order and as the path has them.
        package let parameters: [String]
    }

    fileprivate struct Entry {
        let function: ServedFunction
        let route: Route
        let segments: [Segment]
    }

    fileprivate enum Segment: Hashable {
        case literal(Substring)
        case parameter
    }

    /// Routes without parameters by their paths.
    private var literal: [String: [Entry]] = [:]
    /// The others, the more particular ones first.
    private var patterns: [Entry] = []

    package init(_ functions: [ServedFunction]) {
        for function in functions {
            for route in function.routes {
                let segments = route.path.split(separator: "/").map { $0.hasPrefix("{") ? Segment.parameter : .literal($0) }
                let entry = Entry(function: function, route: route, segments: segments)
                if segments.contains(.parameter) { patterns.append(entry) } else { literal[route.path, default: []].append(entry) }
            }
        }
        patterns.sort { one, other in
            let difference = zip(one.segments, other.segments).first { ($0 == .parameter) != ($1 == .parameter) }
            return difference.map { $0.0 != .parameter } ?? false
        }
    }

    /// - Returns: `nil` when no function has a route for the request.
    package func match(_ request: HTTPRequest) -> Match? {
        let uri = request.path ?? "/"
        let path = uri.utf8.firstIndex(of: UInt8(ascii: "?")).map { String(uri[..<$0]) } ?? uri
        if let entries = literal[path] { return match(request.method, entries, []) }
        // Slashes at the end, or several in a row, make no difference.
        let segments = path.split(separator: "/")
        if let entries = literal["/" + segments.joined(separator: "/")] { return match(request.method, entries, []) }
        return match(request.method, patterns.filter { $0.matches(segments) }, segments)
    }

    private func match(_ method: HTTPRequest.Method, _ entries: [Entry], _ segments: [Substring]) -> Match? {
        let entry = entries.first { $0.route.method == method.rawValue }
            ?? (method == .head ? entries.first { $0.route.method == HTTPRequest.Method.get.rawValue } : nil)
        guard let entry else { return nil }
        let parameters = zip(segments, entry.segments).filter { $0.1 == .parameter }.map { String($0.0) }
        return Match(function: entry.function, route: entry.route, parameters: parameters)
    }
}

extension FunctionRoutes.Entry {
    fileprivate func matches(_ path: [Substring]) -> Bool {
        guard path.count == segments.count else { return false }
        return zip(segments, path).allSatisfy { segment, text in
            switch segment {
            case .literal(let literal): literal == text
            case .parameter: true
            }
        }
    }
}
