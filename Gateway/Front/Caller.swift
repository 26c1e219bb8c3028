import Ledger

/// On whose behalf a request runs.
struct Caller: Sendable {
    /// The public id of the key that pays.
    var key: String
    /// Whose documents it sees.
    var tenant: String
    /// Whether it may see what all keys do and use.
    var isAdmin = false
    /// The functions it may call; `nil` for all.
    var functions: [String]?
    /// The models that functions may call for it; `nil` for all.
    var models: [String]?
    /// What it may do at a time.
    var limits = KeySettings()
    /// Set when a function of ours asks: the invocation it runs in.
    var parent: InvocationToken?
}
