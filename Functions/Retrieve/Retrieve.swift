import FunctionKit
import RetrieveSearch

/// Collections of documents, searched by meaning and by words.
@main struct Retrieve: Function {
    private let store: Store

    init() async throws { store = try Store(folder: dataDirectory()) }

    func handle(_ request: Request, _ response: ResponseWriter, _ context: Context) async throws {
        switch request.route {
        case "PUT /collections/{name}/documents":
            try await put(request.json(Documents.self).documents, into: collection(request), response, context)
        case "DELETE /collections/{name}/documents/{id}":
            let (name, id) = (try collection(request), request.pathParameters["id"] ?? "")
            try await store.delete(document: id, from: name, of: context.tenant)
            try await response.send(json: ["collection": .string(name), "document": .string(id), "deleted": true] as JSON)
        case "DELETE /collections/{name}":
            let name = try collection(request)
            try await store.delete(collection: name, of: context.tenant)
            try await response.send(json: ["collection": .string(name), "deleted": true] as JSON)
        case "GET /collections":
            try await response.send(json: ["object": "list", "data": JSON(try await store.collections(of: context.tenant))] as JSON)
        default:
            try await search(request.json(Query.self), response, context)
        }
    }

    private func put(_ documents: [Document], into collection: String, _ response: ResponseWriter, _ context: Context) async throws {
        let chunks = documents.map { Chunker().chunks(of: $0.text) }
        let vectors = try await vectors(of: chunks.flatMap(\.self), context)
        try await store.put(documents, chunks, vectors, into: collection, of: context.tenant)
        try await response.send(
            json: [
                "collection": .string(collection), "documents": .integer(Int64(documents.count)), "chunks": .integer(Int64(vectors.count)),
                "usage": JSON(context.usage),
            ] as JSON)
    }

    /// In batches, so that no request to the model is out of proportion.
    private func vectors(of texts: [String], _ context: Context) async throws -> [Vector] {
        let model = try context.models["embed"]
        var vectors: [Vector] = []
        for start in stride(from: 0, to: texts.count, by: 32) {
            vectors += try await model.embed(Array(texts[start..<min(start + 32, texts.count)])).map { Vector($0) }
        }
        return vectors
    }

    private func search(_ query: Query, _ response: ResponseWriter, _ context: Context) async throws {
        guard try await store.holds(query.collection, of: context.tenant) else { throw Store.noCollection(query.collection) }
        let vectors = try await vectors(of: [query.query], context)
        let results = try await store.search(query, vectors[0], of: context.tenant)
        try await response.send(json: ["results": JSON(results), "usage": JSON(context.usage)] as JSON)
    }

    private func collection(_ request: Request) throws -> String { try Query.validName(request.pathParameters["name"] ?? "", "name") }
}
