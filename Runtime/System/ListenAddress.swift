import SystemPackage

import CSwiftletSystem

/// A TCP address to listen on, in the form of nginx's `listen`: `8080` (every IPv4 address), `127.0.0.1:8080` or `[::1]:8080`.
package struct ListenAddress: Hashable, Sendable, LosslessStringConvertible {
    /// A numeric IPv4 or IPv6 address, without brackets; `nil` for every IPv4 address.
    package let host: String?
    package let port: UInt16

    /// Every IPv4 address.
    package init(port: UInt16) {
        host = nil
        self.port = port
    }

    /// - Returns: `nil` where `text` has no port from 1 to 65535, or an address that is none in numbers.
    package init?(_ text: String) {
        let colon = text.lastIndex(of: ":")
        guard let port = UInt16(colon.map { text[text.index(after: $0)...] } ?? text[...]), port > 0 else { return nil }
        self.port = port
        guard let colon else {
            host = nil
            return
        }
        let address = text[..<colon]
        let isBracketed = address.hasPrefix("[") && address.hasSuffix("]")
        let host = String(isBracketed ? address.dropFirst().dropLast() : address)
        guard swl_is_address(host, isBracketed) else { return nil }
        self.host = host
    }

    package var description: String {
        guard let host else { return "\(port)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// For messages: `port 8080` or `127.0.0.1:8080`.
    package var name: String { host == nil ? "port \(port)" : description }

    /// - Throws: ``SystemError`` when another process listens there, or it is no address of this machine or may not be used.
    package func requireFree() throws {
        let result = swl_can_listen(host ?? "0.0.0.0", port)
        guard result == 0 else { throw SystemError("cannot listen on \(name)", Errno(rawValue: -result)) }
    }
}
