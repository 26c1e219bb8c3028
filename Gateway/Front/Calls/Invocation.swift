import FoundationEssentials
import Ledger
import Supervisor
import Wire

/// One call of a function: who asks for what, and until when.
struct Invocation: Sendable {
    let id: UUIDv7
    let caller: Caller
    let function: FunctionManifest
    /// The version of the function that runs.
    let version: String
    let route: String
    let started = ContinuousClock.now
    /// The same moment, for the ledger.
    let startTime: Date
    let deadline: ContinuousClock.Instant
    /// The same deadline, for other processes.
    let deadlineTime: Date
    /// The try that this is.
    private(set) var attempt: Attempt
    /// Shows model hosts and the internal listener what this invocation may do.
    private(set) var token = ""

    /// A call made by a function runs in its caller's invocation, to its deadline at most and on its bill.
    /// - Throws: ``APIError`` when the key may not call the function.
    init(id: UUIDv7, caller: Caller, function: FunctionManifest, version: String, route: Route, tokens: TokenKey) throws {
        if let allowed = caller.functions, !allowed.contains(function.name) {
            throw APIError(
                status: 403, message: "This API key may not call the function '\(function.name)'.", type: "invalid_request_error",
                code: "function_not_allowed")
        }
        self.id = id
        self.caller = caller
        self.function = function
        self.version = version
        self.route = route.description
        let now = Date.now
        startTime = now
        let own = now.addingTimeInterval(function.limits.timeout / .seconds(1))
        deadlineTime = min(own, caller.parent?.expires ?? own)
        deadline = started + .seconds(deadlineTime.timeIntervalSince(now))
        attempt = caller.parent?.attempt ?? .whole
        if route.isIdempotent { attempt = attempt.next() }
        token = try signedToken(tokens)
    }

    /// The same invocation, tried once more: hosts can tell what they make for it from what they made for the try before.
    func triedAgain(_ tokens: TokenKey) throws -> Invocation {
        var again = self
        again.attempt = (caller.parent?.attempt ?? .whole).next()
        again.token = try again.signedToken(tokens)
        return again
    }

    private func signedToken(_ tokens: TokenKey) throws -> String {
        try InvocationToken(
            invocation: id, tenant: caller.tenant, key: caller.key, function: function.name,
            models: Self.models(of: function, for: caller), keyModels: caller.models, expires: deadlineTime, attempt: attempt
        ).signed(with: tokens)
    }

    private static func models(of function: FunctionManifest, for caller: Caller) -> [String] {
        guard let allowed = caller.models else { return function.modelNames.map(\.description) }
        return ModelName.allowed(by: function.modelNames, and: allowed.map(ModelName.init)).map(\.description)
    }

    /// Whether it can cost something by itself.
    func mayCharge(_ fee: Fee) -> Bool { !function.models.isEmpty || !fee.isFree }

    /// Whether a budget or the price of a model call may have to be held while it runs.
    func mayHold(_ fee: Fee) -> Bool { mayCharge(fee) || caller.limits.maxBudget != nil }

    /// What the ledger enters when the call is admitted.
    var reservation: Reservation {
        Reservation(
            id: id, key: caller.key, tenant: caller.tenant, function: function.name, version: version, route: route,
            started: startTime, timeout: function.limits.timeout)
    }
}
