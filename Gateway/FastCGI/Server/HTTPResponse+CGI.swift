import HTTPTypes
import NIOCore

extension HTTPResponse {
    /// The head as a CGI program prints it (RFC 3875 §6.3): `Status: 200 OK`, then the header fields, then an empty line.
    var commonGatewayForm: ByteBuffer {
        var text: [UInt8] = []
        text.reserveCapacity(1024)
        // nginx puts in the reason that is missing.
        text += "Status: ".utf8
        text += String(status.code).utf8
        if !status.reasonPhrase.isEmpty {
            text.append(UInt8(ascii: " "))
            text += status.reasonPhrase.utf8
        }
        text += "\r\n".utf8
        for field in headerFields where !field.name.isHopByHop {
            text += field.name.rawName.utf8
            text += ": ".utf8
            field.withUnsafeBytesOfValue { text.append(contentsOf: $0) }
            text += "\r\n".utf8
        }
        text += "\r\n".utf8
        return ByteBuffer(bytes: text)
    }
}
