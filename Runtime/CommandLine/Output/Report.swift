import ArgumentParser
import FoundationEssentials
import Wire

/// How a command prints data: `--format table|csv|json`.
enum ReportFormat: String, ExpressibleByArgument, CaseIterable {
    case table, csv, json
}

/// Rows under named columns, printed for a person (table), a spreadsheet (CSV, RFC 4180) or a program (JSON array of objects).
struct Report {
    var columns: [String]
    var rows: [[JSON]]

    func text(as format: ReportFormat) throws -> String {
        switch format {
        case .json:
            // Put together from encoded names and values: a long report would wait for an encoder longer than for its sums.
            let names = try columns.map { try Report.json(.string($0)) }
            let objects = try rows.map { row in
                "{" + (try zip(names, row).map { "\($0):\(try Report.json($1))" }.joined(separator: ",")) + "}"
            }
            return "[" + objects.joined(separator: ",") + "]"
        case .csv:
            return ([columns] + rows.map { $0.map(Report.cell) })
                .map { $0.map(Report.quoted).joined(separator: ",") }.joined(separator: "\r\n")
        case .table:
            let cells = [columns.map { $0.uppercased().replacing("_", with: " ") }] + rows.map { $0.map(Report.cell) }
            let widths = columns.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
            let numeric = columns.indices.map { column in !rows.isEmpty && rows.allSatisfy { $0[column].number != nil } }
            return cells.map { row in
                let padded = row.indices.map { column in
                    let space = String(repeating: " ", count: widths[column] - row[column].count)
                    return numeric[column] ? space + row[column] : row[column] + space
                }
                return padded.joined(separator: "  ").trimmingSuffix(" ")
            }.joined(separator: "\n")
        }
    }

    private static func cell(_ value: JSON) -> String {
        switch value {
        case .null: ""
        case .string(let text): text
        case .integer(let number): String(number)
        case .number(let number): NanoUSD(Int64((number * 1e9).rounded())).description
        case .bool(let flag): flag ? "yes" : "no"
        case .array(let items): items.map(cell).joined(separator: " ")
        case .object: (try? String(decoding: JSON.encode(value), as: UTF8.self)) ?? ""
        }
    }

    private static func json(_ value: JSON) throws -> String {
        switch value {
        case .integer(let number): return String(number)
        case .number(let number) where number.isFinite: return "\(number)"
        case .string(let text) where text.utf8.allSatisfy({ 0x20 <= $0 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }):
            return "\"\(text)\""
        default: return String(decoding: try JSON.encode(value), as: UTF8.self)
        }
    }

    private static let special = Set(",\"\r\n".utf8)

    private static func quoted(_ cell: String) -> String {
        cell.utf8.contains(where: special.contains) ? "\"" + cell.replacing("\"", with: "\"\"") + "\"" : cell
    }
}

extension String {
    fileprivate func trimmingSuffix(_ character: Character) -> String {
        var text = self[...]
        while text.last == character { text.removeLast() }
        return String(text)
    }
}
