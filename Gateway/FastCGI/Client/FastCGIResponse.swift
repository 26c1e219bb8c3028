import HTTPTypes
import NIOCore

/// A worker's response while it arrives.
package struct FastCGIResponse: Sendable {
    package let status: HTTPResponse.Status
    /// The fields of the CGI head, without `Status`.
    package let headers: HTTPFields
    /// What the worker writes. The end is the end of the request; a response that was cut short, or that the worker called failed,
    /// throws ``FastCGIConnectionError``.
    package let body: FastCGIBody
}
