import Hummingbird
import Logging

/// What is known of a request beside its content: the connection that it came on.
struct HostContext: RequestContext {
    struct Source: RequestContextSource {
        let caller: Caller
        let logger: Logger
    }

    var coreContext: CoreRequestContextStorage
    let caller: Caller

    init(source: Source) {
        coreContext = .init(source: source)
        caller = source.caller
    }
}
