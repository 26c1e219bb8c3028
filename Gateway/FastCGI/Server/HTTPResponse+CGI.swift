import HTTPTypes
import NIOCore

extension HTTPResponse {
    /// The head as a CGI program prints it (RFC 3875 §6.3): `Status: 200 OK`, then the header fields, then an empty line.
    var commonGatewayForm: ByteBuffer {
        var text = ByteBuffer()
        text.reserveCapacity(512)
        // nginx puts in the reason that is missing.
        text.writeStaticString("Status: ")
        text.writeString(String(status.code))
        if !status.reasonPhrase.isEmpty {
            text.writeStaticString(" ")
            text.writeString(status.reasonPhrase)
        }
        text.writeStaticString("\r\n")
        for field in headerFields where !field.name.isHopByHop {
            text.writeString(field.name.rawName)
            text.writeStaticString(": ")
            field.withUnsafeBytesOfValue { _ = text.writeBytes($0) }
            text.writeStaticString("\r\n")
        }
        text.writeStaticString("\r\n")
        return text
    }
}
