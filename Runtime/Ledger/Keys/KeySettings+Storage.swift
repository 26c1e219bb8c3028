import FoundationEssentials
import GRDB
import Wire

extension KeySettings {
    init(row: Row) {
        self.init()
        owner = row["owner"]
        tags = Self.list(row["tags"]) ?? []
        expires = (row["expires"] as Int64?).map(Date.init(milliseconds:))
        // A list that cannot be read allows nothing.
        functions = (row["functions"] as String?).map { Self.list($0) ?? [] }
        models = (row["models"] as String?).map { Self.list($0) ?? [] }
        isAdmin = row["is_admin"]
        maxBudget = (row["max_budget"] as Int64?).map(NanoUSD.init)
        budgetDuration = BudgetDuration(rawValue: row["budget_duration"]) ?? .total
        softBudget = (row["soft_budget"] as Int64?).map(NanoUSD.init)
        rpmLimit = row["rpm_limit"]
        tpmLimit = row["tpm_limit"]
        maxParallelRequests = row["max_parallel_requests"]
    }

    func store(for id: String, _ db: Database) throws {
        try db.execute(
            sql: """
                UPDATE keys SET owner = ?, tags = ?, expires = ?, functions = ?, models = ?, is_admin = ?, max_budget = ?,
                    budget_duration = ?, soft_budget = ?, rpm_limit = ?, tpm_limit = ?, max_parallel_requests = ? WHERE id = ?
                """,
            arguments: [
                owner, try Self.text(tags), expires?.milliseconds, try functions.map(Self.text), try models.map(Self.text), isAdmin,
                maxBudget?.count, budgetDuration.rawValue, softBudget?.count, rpmLimit, tpmLimit, maxParallelRequests, id,
            ])
    }

    /// - Throws: ``LedgerError`` that names the setting at fault.
    func validate() throws {
        for (name, limit) in [("rpm limit", rpmLimit), ("tpm limit", tpmLimit), ("number of parallel requests", maxParallelRequests)] {
            if let limit, limit < 1 { throw LedgerError(.invalid, "A \(name) must be at least 1, not \(limit).") }
        }
        for (name, budget) in [("budget", maxBudget), ("soft budget", softBudget)] {
            if let budget, budget < .zero { throw LedgerError(.invalid, "A \(name) must not be negative, as \(budget) is.") }
        }
        if let softBudget, let maxBudget, softBudget > maxBudget {
            throw LedgerError(.invalid, "The soft budget of \(softBudget) USD is beyond the budget of \(maxBudget) USD, so it would never be reached.")
        }
        for tag in tags where tag.isEmpty || tag.count > 64 || tag.contains(where: { $0.isNewline || $0 == "," }) {
            throw LedgerError(.invalid, "A tag is 1 to 64 characters without commas, which '\(tag)' is not.")
        }
        if let owner, owner.isEmpty || owner.count > 256 || owner.contains(where: \.isNewline) {
            throw LedgerError(.invalid, "An owner is 1 to 256 characters on one line.")
        }
    }

    private static func list(_ text: String) -> [String]? { try? JSONDecoder().decode([String].self, from: Data(text.utf8)) }

    private static func text(_ list: [String]) throws -> String { String(decoding: try JSONEncoder().encode(list), as: UTF8.self) }
}
