import Synchronization

/// Takes what a transfer brings. Always called on the driver's thread, in the order head, bytes, finish.
protocol Receiver: AnyObject, Sendable {
    func receive(_ head: HTTPClient.Head)
    func receive(_ bytes: [UInt8]) -> Intake
    /// - Parameter failure: `nil` when the response is complete.
    func finish(_ failure: HTTPError?)
}

enum Intake {
    case taken
    /// Nothing was taken. The bytes come again after ``Driver/resume(_:)``.
    case full
    case refused(HTTPError)
}

/// One request on its way, as other threads see it: a name to resume or cancel it by.
final class Transfer: Sendable {
    let request: HTTPClient.Request
    let receiver: any Receiver
    let options: Options
    /// Set before the driver is told, so that a cancellation that overtakes the start still counts.
    let isCancelled = Atomic(false)

    /// What only downloads use.
    struct Options: Sendable {
        var followsRedirects = false
        var allowsFiles = false
        /// Start at this byte of the resource.
        var offset: Int64 = 0
    }

    init(_ request: HTTPClient.Request, receiver: any Receiver, options: Options = Options()) {
        self.request = request
        self.receiver = receiver
        self.options = options
    }
}

extension HTTPClient {
    /// Status line and header fields of a response.
    struct Head: Sendable {
        /// 0 for a file.
        var status = 0
        var headers: [Field] = []

        /// Reads one header line without its line end. A status line starts a new head (after `100 Continue` or a redirect).
        mutating func read(line: String) {
            if line.hasPrefix("HTTP/") {
                let parts = line.split(separator: " ", maxSplits: 2)
                self = Head(status: parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
            } else if let colon = line.firstIndex(of: ":") {
                headers.append(Field(String(line[..<colon]), line[line.index(after: colon)...].trimmed))
            }
        }
    }
}

extension StringProtocol {
    /// Without the blanks around it.
    var trimmed: String {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        let end = lastIndex { !$0.isWhitespace }.map(index(after:)) ?? endIndex
        return start < end ? String(self[start..<end]) : ""
    }
}
