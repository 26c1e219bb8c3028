import HTTPTypes
import Ledger
import Logging
import NIOCore
import ResponseCache
import Supervisor
import SwiftletSystem
import Synchronization
import Wire

/// The answers of functions that keep them (`cache:` in `function.yaml`): which requests may be answered by an earlier answer, and
/// which answers may be kept. Without the cache every call runs, so that what goes wrong here is logged and no more.
struct AnswerCache: Sendable {
    let store: ResponseCache
    /// What answers as each of these models; `nil` where one is missing.
    let sources: @Sendable (_ models: [String]) async -> [ModelSource]?
    let logger: Logger
    private let contents: FileDigests
    private let running = RunningCalls()

    init(store: ResponseCache, sources: @escaping @Sendable ([String]) async -> [ModelSource]?, logger: Logger) {
        (self.store, self.sources, self.logger) = (store, sources, logger)
        contents = FileDigests(store)
    }

    /// A request that may be answered by an earlier answer, or whose answer may be given again.
    struct Inquiry: Sendable {
        fileprivate let digest: RequestDigest
        fileprivate let key: [UInt8]
        fileprivate let function: FunctionManifest
        fileprivate let settings: FunctionManifest.Cache
        fileprivate let sources: [ModelSource]
    }

    /// Whether `request` is to be looked up, which needs its whole body.
    static func takes(_ request: HTTPRequest, _ function: FunctionRunner) -> Bool {
        guard function.manifest.cache != nil, request.method == .post else { return false }
        let directives = request.headerFields[.cacheControl]?.lowercased() ?? ""
        return !directives.contains("no-store") && !directives.contains("no-cache")
    }

    /// - Returns: `nil` when the request could be answered differently each time, or what answers it is not known yet.
    func inquiry(_ request: HTTPRequest, body: ByteBuffer, _ function: FunctionRunner, _ caller: Caller) async -> Inquiry? {
        let models = function.manifest.models
        guard let settings = function.manifest.cache, let sources = await sources(models) else { return nil }
        var parts = [
            caller.tenant, caller.models.map { $0.sorted().joined(separator: ",") } ?? "*", function.manifest.name, function.version,
            FileStatus(path: "\(function.folder)/function.yaml")?.identity ?? "", request.path ?? "",
            request.headerFields[.contentType] ?? "", request.headerFields[.accept] ?? "",
        ]
        for (model, source) in zip(models, sources) {
            parts += [model, "\(source.files.count)"]
            for file in source.files {
                guard let content = await contents.digest(of: file.path, in: file.identity) else { return nil }
                parts.append(content)
            }
            parts += source.options
        }
        guard let digest = RequestDigest(body: body.readableBytesView, parts) else { return nil }
        return Inquiry(digest: digest, key: digest.bytes, function: function.manifest, settings: settings, sources: sources)
    }

    func find(_ inquiry: Inquiry) async -> ResponseCache.Entry? {
        do {
            return try await store.find(inquiry.key, ttl: inquiry.settings.ttl)
        } catch {
            logger.warning("the response cache cannot be read: \(error)")
            return nil
        }
    }

    // MARK: Keeping

    /// The invocation runs, because nothing was found for it. Follow with ``ended(_:)``.
    func began(_ invocation: UUIDv7) { running.begin(invocation) }

    /// A function calls another one: what that answers may depend on more than the request and the models.
    func calledFunction(in invocation: UUIDv7) { running.mark(invocation) }

    /// - Returns: whether the invocation called no other function.
    func ended(_ invocation: UUIDv7) -> Bool { running.end(invocation) }

    /// Keeps the answer of a settled invocation, if it is whole and would be the same again.
    func keep(_ inquiry: Inquiry, _ head: HTTPResponse, body: [UInt8]?, of record: InvocationRecord, for caller: Caller) async {
        guard let body, head.status == .ok, record.status == .succeeded, Self.allowsKeeping(head.headerFields), !record.calls.isEmpty,
            inquiry.digest.asksForOneAnswer || record.calls.allSatisfy(\.kind.isEmbedding), record.calls.allSatisfy(Self.isWhole),
            // A budget may have cut it short; another caller's would not.
            caller.limits.maxBudget == nil || !record.calls.contains(where: { $0.finishReason == "length" }),
            // Meanwhile another model may have come.
            await sources(inquiry.function.models) == inquiry.sources
        else { return }
        var headers = head.headerFields
        headers[.contentLength] = nil
        let entry = ResponseCache.Entry(
            answer: KeptAnswer(status: head.status.code, headers: headers.map { [$0.name.rawName, $0.value] }, body: body),
            calls: record.calls.map {
                ReplayedCall(
                    model: $0.model, kind: $0.kind, promptTokens: $0.usage.promptTokens, completionTokens: $0.usage.completionTokens,
                    finishReason: $0.finishReason)
            }, invocation: record.id)
        do {
            // A client that has all of a stream may be gone, and with it this task cancelled.
            try await Task {
                try await store.keep(entry, under: inquiry.key, of: inquiry.function.name, ttl: inquiry.settings.ttl, size: inquiry.settings.size)
            }.value
        } catch {
            logger.warning("an answer is not kept: \(error)")
        }
    }

    private static func isWhole(_ call: InvocationRecord.Call) -> Bool {
        call.kind.isEmbedding || call.finishReason == "stop" || call.finishReason == "length"
    }

    private static func allowsKeeping(_ headers: HTTPFields) -> Bool {
        let directives = headers[.cacheControl]?.lowercased() ?? ""
        return headers[.setCookie] == nil && headers[.vary] == nil && !directives.contains("no-store") && !directives.contains("private")
    }
}

/// Which of the running invocations that may be kept have called other functions.
private final class RunningCalls: Sendable {
    private let marks = Mutex<[UUIDv7: Bool]>([:])

    func begin(_ id: UUIDv7) { marks.withLock { $0[id] = false } }
    func mark(_ id: UUIDv7) { marks.withLock { if $0[id] != nil { $0[id] = true } } }
    func end(_ id: UUIDv7) -> Bool { marks.withLock { $0.removeValue(forKey: id) == false } }
}
