import Hummingbird
import Wire

/// What the gateway knows of one request while it is answered.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The invocation this request is, or is part of; a client quotes it when something went wrong.
    var invocationID = UUIDv7()
    /// Who asks; `nil` until the key check has passed.
    var caller: Caller?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
    }
}
