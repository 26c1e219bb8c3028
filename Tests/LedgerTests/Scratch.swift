import Foundation
import GRDB
import Ledger

/// A folder that is removed with the test that made it.
final class Scratch: Sendable {
    let path: String
    var ledger: String { "\(path)/ledger.sqlite" }

    init() throws {
        path = NSTemporaryDirectory() + "swiftlet-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

let noon = Date(timeIntervalSince1970: 1_800_000_000)

func price(_ model: String, _ input: String, cached: String? = nil, _ output: String = "0") throws -> Price {
    Price(
        model: model, input: try UnitPrice(dollars: input), cachedInput: try cached.map(UnitPrice.init(dollars:)),
        output: try UnitPrice(dollars: output))
}

extension Ledger {
    /// An invocation of a key made for it.
    func reserved(function: String = "generate", keyName: String = "app") async throws -> Reservation {
        var key = try await keys().first { $0.name == keyName }
        if key == nil { key = try await createKey(name: keyName).key }
        guard let key else { throw LedgerError(.notFound, keyName) }
        let reservation = Reservation(key: key.id, tenant: key.tenant, function: function, route: "POST /\(function)", started: noon)
        try await reserve(reservation)
        return reservation
    }
}

extension Ledger {
    /// An invocation that is entered when it has ended.
    @discardableResult
    func entered(function: String = "hello", keyName: String = "app", at started: Date = noon, milliseconds: Int = 12) async throws -> InvocationRecord {
        var key = try await keys().first { $0.name == keyName }
        if key == nil { key = try await createKey(name: keyName).key }
        guard let key else { throw LedgerError(.notFound, keyName) }
        let reservation = Reservation(key: key.id, tenant: key.tenant, function: function, route: "GET /\(function)", started: started)
        return try await enter(reservation, Settlement(status: .succeeded, httpStatus: 200, duration: .milliseconds(milliseconds)))
    }
}

extension Scratch {
    /// Another connection, which waits for those that are just being closed.
    private var reader: DatabaseQueue {
        get throws {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            return try DatabaseQueue(path: ledger, configuration: configuration)
        }
    }

    /// The number of rows of a table, seen by another connection.
    func count(_ table: String) throws -> Int {
        try reader.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM \(table)") } ?? -1
    }
}

extension Scratch {
    /// The sum of a column, seen by another connection.
    func sum(_ column: String, of table: String) throws -> Int64 {
        try reader.read { try Int64.fetchOne($0, sql: "SELECT SUM(\(column)) FROM \(table)") } ?? 0
    }
}
