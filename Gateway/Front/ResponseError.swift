import HTTPTypes
import Wire

/// An error that a client is told with headers of its own, such as when to try again.
struct ResponseError: Error {
    var error: APIError
    var headers: HTTPFields
}
