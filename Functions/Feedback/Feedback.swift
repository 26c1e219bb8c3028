import FoundationEssentials
import FunctionKit

/// What people say about answers, kept by the id of the invocation that gave them.
@main struct Feedback: Function {
    private let store: Store

    init() async throws { store = try Store(folder: dataDirectory()) }

    func handle(_ request: Request, _ response: ResponseWriter, _ context: Context) async throws {
        switch request.route {
        case "GET /feedback":
            let id = try invocation(request.query["invocation_id"], context)
            try await response.send(json: ["object": "list", "data": JSON(try await store.entries(about: id, of: context.tenant))] as JSON)
        default:
            let said = try request.json(Said.self)
            let id = try invocation(said.invocationID, context)
            // Whether there is such an invocation, and whether it is this tenant's, is for the gateway to say.
            do {
                _ = try await context.invoke("GET", "/v1/invocations/\(id)")
            } catch var error as APIError where error.status == 404 {
                error.parameter = "invocation_id"
                throw error
            }
            let entry = Entry(
                id: UUID().uuidString.lowercased(), invocationID: id, name: said.name, value: said.value ?? .null, comment: said.comment,
                correction: said.correction, created: Int64(Date.now.timeIntervalSince1970))
            try await store.add(entry, of: context.tenant)
            try await response.send(json: entry, status: 201)
        }
    }

    /// An id in its one spelling; as part of a path it can then be nothing else.
    private func invocation(_ text: String?, _ context: Context) throws -> String {
        guard let text else { throw APIError.invalidRequest("Missing required parameter: 'invocation_id'.", parameter: "invocation_id") }
        guard let id = UUID(uuidString: text) else {
            throw APIError.invalidRequest(
                "'\(text)' is not an invocation's id. Every response names its own in x-swiftlet-invocation-id.", parameter: "invocation_id")
        }
        return id.uuidString.lowercased()
    }
}

/// The body of `POST /feedback`: `{"invocation_id", "name", "value", "comment", "correction"}`.
private struct Said: Decodable {
    var invocationID: String
    /// What is judged, for example `helpful`.
    var name: String
    /// A number, a text, or true or false.
    var value: JSON?
    var comment: String?
    /// What the answer should have been.
    var correction: String?

    private enum CodingKeys: String, CodingKey {
        case invocationID = "invocation_id"
        case name, value, comment, correction
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        invocationID = try container.decode(String.self, forKey: .invocationID)
        name = try container.decode(String.self, forKey: .name)
        value = try container.decodeIfPresent(JSON.self, forKey: .value)
        comment = try container.decodeIfPresent(String.self, forKey: .comment)
        correction = try container.decodeIfPresent(String.self, forKey: .correction)
        guard (1...64).contains(name.utf8.count) else { throw APIError.invalidRequest("'name' must have 1 to 64 bytes.", parameter: "name") }
        switch value {
        case .array, .object: throw APIError.invalidRequest("'value' must be a number, a text, true or false.", parameter: "value")
        default: break
        }
        guard value != nil || comment != nil || correction != nil else {
            throw APIError.invalidRequest("Send a 'value', a 'comment' or a 'correction'.", parameter: "value")
        }
    }
}
