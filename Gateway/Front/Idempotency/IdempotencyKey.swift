import Crypto
import FoundationEssentials
import HTTPTypes
import Ledger
import NIOCore
import Wire

/// `Idempotency-Key`, as Stripe's API has it (https://docs.stripe.com/api/idempotent_requests): a request that is sent again with
/// the same key and content is run and billed once, and answered again with what it was answered then.
///
/// While it runs, another one gets 409; with other content, 422. It runs to its end though its client hangs up, so that the client
/// can fetch the answer. What failed in the server, or was refused before it ran, may be sent again and runs then.
enum IdempotencyKey {
    /// The token of a request that changes something; `nil` when there is none.
    static func token(of request: HTTPRequest) throws -> String? {
        guard let token = request.headerFields[.idempotencyKey], request.method != .get, request.method != .head else { return nil }
        guard (1...255).contains(token.utf8.count) else {
            throw APIError.invalidRequest("An Idempotency-Key has 1 to 255 characters.", code: "invalid_idempotency_key")
        }
        return token
    }

    /// A digest of method, target, content type and body.
    static func fingerprint(of request: HTTPRequest, body: ByteBuffer) -> [UInt8] {
        var hash = SHA256()
        for text in [request.method.rawValue, request.path ?? "", request.headerFields[.contentType] ?? ""] {
            hash.update(data: Data("\(text.utf8.count) \(text)".utf8))
        }
        hash.update(data: Data(body.readableBytesView))
        return Array(hash.finalize())
    }

    /// What the client is told of a claim; `nil` when the request is new and runs.
    static func answer(to claim: IdempotencyClaim) throws -> WholeAnswer? {
        switch claim {
        case .new:
            return nil
        case .running:
            throw APIError(
                status: 409, message: "A request with this Idempotency-Key is still running. Try again when it has ended.",
                type: "idempotency_error", code: "idempotency_key_in_use", retryAfter: .seconds(1))
        case .different:
            throw APIError(
                status: 422, message: "This Idempotency-Key was used for another request. Use a new one for new content.",
                type: "idempotency_error", code: "idempotency_key_reused")
        case .answered(let answer, let invocation):
            guard let body = answer.body else {
                throw APIError(
                    status: 409, message: "The request with this Idempotency-Key was answered by invocation \(invocation), with more than is kept.",
                    type: "idempotency_error", code: "idempotency_answer_not_kept")
            }
            var head = answer.head
            head.headerFields[.idempotentReplayed] = "true"
            head.headerFields[.invocationID] = "\(invocation)"
            head.headerFields[.contentLength] = "\(body.count)"
            return WholeAnswer(head: head, body: ByteBuffer(bytes: body))
        }
    }

    /// The answer to keep, or `nil` when the request may be sent again: the server failed, or it was not carried out.
    static func answer(_ head: HTTPResponse, body: [UInt8]?) -> KeptAnswer? {
        guard head.status.code < 500, ![402, 409, 429].contains(head.status.code) else { return nil }
        return KeptAnswer(
            status: head.status.code, headers: head.headerFields.map { [$0.name.rawName, $0.value] }, body: body)
    }
}
