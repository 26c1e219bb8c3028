/// What a bill that was written survives.
///
/// What must be written when:
/// - A *reservation* must be there before its function runs, for every process to see. It need not survive a loss of power,
///   because nothing that it stands for does, so it costs no flush.
/// - A *usage row* must be durable before its caller learns of the call's end, a *settlement* before the client has the whole
///   response. Both wait for one flush, which they share with whatever else waits (``GroupCommit``); it makes all that was
///   written before durable, too, reservations among it.
/// - A settlement that charges nothing, of a function without models and without a fee, costs no flush either, and where nothing was
///   reserved for it, the response does not wait for it: with the machine's power, or with a process that is killed within milliseconds,
///   its row may be lost, but no money.
/// - What a call has made *so far* is in the host's ``Tally``, which survives the host's death but no loss of power:
///   then a stream that ran is not billed.
package enum Durability: String, CaseIterable, Sendable {
    /// A loss of power: SQLite's `synchronous=FULL`, a flush to the disk for each commit.
    case power
    /// The end of every process at any point, and not a loss of power: `synchronous=OFF`. The ledger may lose its newest
    /// rows with the machine, or be damaged.
    case process

    /// The value of `PRAGMA synchronous` for a commit that must be durable, and for one that need not be yet.
    func synchronous(durably: Bool) -> String {
        switch self {
        case .power: durably ? "FULL" : "NORMAL"
        case .process: "OFF"
        }
    }
}
