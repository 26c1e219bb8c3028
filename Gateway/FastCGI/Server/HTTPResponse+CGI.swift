import HTTPTypes
import NIOCore

extension HTTPResponse {
    /// The head as a CGI program prints it (RFC 3875 §6.3): `Status: 200 OK`, then the header fields, then an empty line.
    var commonGatewayForm: ByteBuffer {
        var text = ByteBuffer()
        text.reserveCapacity(512)
        // nginx puts in the reason that is missing.
        text.writeString("Status: \(status.code)\(status.reasonPhrase.isEmpty ? "" : " " + status.reasonPhrase)\r\n")
        for field in headerFields where !HTTPField.Name.hopByHop.contains(field.name) {
            text.writeString(field.name.rawName)
            text.writeStaticString(": ")
            field.withUnsafeBytesOfValue { _ = text.writeBytes($0) }
            text.writeStaticString("\r\n")
        }
        text.writeStaticString("\r\n")
        return text
    }
}
