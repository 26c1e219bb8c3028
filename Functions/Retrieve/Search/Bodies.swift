import FunctionKit

/// One document as a client puts it.
package struct Document: Decodable, Sendable {
    /// The client's own name for it, unique within its collection.
    package var id: String
    package var text: String
    /// Comes back with each result.
    package var metadata: JSON?
}

/// The body of a put: `{"documents": [{"id", "text", "metadata"}, …]}`, or one document by itself.
package struct Documents: Decodable, Sendable {
    package var documents: [Document]

    private enum CodingKeys: CodingKey { case documents }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        documents = container.contains(.documents) ? try container.decode([Document].self, forKey: .documents) : [try Document(from: decoder)]
        guard !documents.isEmpty else { throw APIError.invalidRequest("'documents' is empty.", parameter: "documents") }
        var seen: Set<String> = []
        for (index, document) in documents.enumerated() {
            let field = "documents[\(index)]"
            guard (1...256).contains(document.id.utf8.count) else {
                throw APIError.invalidRequest("'\(field).id' must have 1 to 256 bytes.", parameter: "\(field).id")
            }
            guard seen.insert(document.id).inserted else {
                throw APIError.invalidRequest("The document '\(document.id)' is there twice.", parameter: "\(field).id")
            }
            guard document.text.contains(where: { !$0.isWhitespace }) else {
                throw APIError.invalidRequest("The document '\(document.id)' is empty.", parameter: "\(field).text")
            }
        }
    }
}

/// The body of a search: `{"collection", "query", "top_k"}`.
package struct Query: Decodable, Sendable {
    package var collection: String
    package var query: String
    /// Results at most, 1 to 100; 4 unless said.
    package var topK: Int

    private enum CodingKeys: String, CodingKey { case collection, query, topK = "top_k" }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        collection = try Query.validName(container.decode(String.self, forKey: .collection), "collection")
        query = try container.decode(String.self, forKey: .query)
        topK = try container.decodeIfPresent(Int.self, forKey: .topK) ?? 4
        guard query.contains(where: { !$0.isWhitespace }) else { throw APIError.invalidRequest("'query' is empty.", parameter: "query") }
        guard (1...100).contains(topK) else { throw APIError.invalidRequest("'top_k' must be from 1 to 100.", parameter: "top_k") }
    }

    /// - Parameter field: what an error calls it.
    package static func validName(_ name: String, _ field: String) throws -> String {
        let isValid = (1...64).contains(name.utf8.count) && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
        guard isValid else {
            throw APIError.invalidRequest("A collection's name has 1 to 64 of the characters A-Z, a-z, 0-9, '.', '_' and '-'.", parameter: field)
        }
        return name
    }
}

/// One result of a search.
package struct Hit: Encodable, Sendable {
    package var document: String
    /// The chunk's place in its document, from 0.
    package var chunk: Int
    package var text: String
    /// Reciprocal rank fusion of the two searches: at most 2/61.
    package var score: Double
    package var metadata: JSON

    package init(document: String, chunk: Int, text: String, score: Double, metadata: JSON) {
        self.document = document
        self.chunk = chunk
        self.text = text
        self.score = score
        self.metadata = metadata
    }
}
