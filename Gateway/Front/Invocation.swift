import FoundationEssentials
import Ledger
import Supervisor
import Wire

/// One call of a function: who asks for what, and until when.
struct Invocation: Sendable {
    let id: String
    let caller: Caller
    let function: String
    let route: String
    let started = ContinuousClock.now
    let deadline: ContinuousClock.Instant
    /// The same deadline as Unix time, for other processes.
    let deadlineMilliseconds: Int64
    /// Shows model hosts and the internal listener what this invocation may do.
    let token: String

    /// A call made by a function runs in its caller's invocation, to its deadline at most and on its bill.
    init(id: String, caller: Caller, function: FunctionManifest, route: Route, tokens: InvocationTokenKey) {
        self.id = id
        self.caller = caller
        self.function = function.name
        self.route = route.description
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let timeout = function.limits.timeout
        let own = now + timeout.milliseconds
        deadlineMilliseconds = min(own, caller.parent?.expires ?? own)
        deadline = started + .milliseconds(deadlineMilliseconds - now)
        token = tokens.sign(
            InvocationToken(
                invocation: id, tenant: caller.tenant, key: caller.key, function: function.name, models: function.models,
                expires: deadlineMilliseconds))
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
