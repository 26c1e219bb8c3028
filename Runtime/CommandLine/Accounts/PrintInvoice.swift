import ArgumentParser
import FoundationEssentials
import Ledger
import Wire

struct PrintInvoice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invoice",
        abstract: "Print what a key owes for a month: lines that add up to the nano-dollar.",
        discussion: "It is made from the prices that were in force, so that it is the same whenever it is asked for again. Times are UTC.")

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, csv, html, json }

    @Option(help: "The key's id, or its name.")
    var key: String

    @Option(help: "The month, as in 2026-11.")
    var month: Month

    @Option(help: "How to print: text, csv, html (a page to print) or json.")
    var format: Format = .text

    @OptionGroup var state: StateOption

    func run() async throws {
        let invoice = try await Ledger.existing(in: state.directory).invoice(key: key, month: month.date)
        switch format {
        case .html: print(try InvoicePage.html(invoice), terminator: "")
        case .csv: print(try table(invoice).text(as: .csv))
        case .json: print(String(decoding: try JSON.encode(json(invoice)), as: UTF8.self))
        case .text:
            let title = "Invoice for \(invoice.monthName): key '\(invoice.key.name)' (\(invoice.key.id)), tenant \(invoice.key.tenant)"
            print("\(title)\n\n\(try table(invoice).text(as: .table))")
        }
    }

    private func table(_ invoice: Invoice) -> Report {
        let lines = invoice.lines.map { line in
            [
                .string(line.description), .integer(Int64(line.quantity)), .string(line.unit),
                .string(line.perMillion?.dollarsPerMillion ?? ""), .string("\(line.amount)"),
            ] as [JSON]
        }
        let total: [JSON] = ["Total", "", "", "", .string("\(invoice.total)")]
        return Report(columns: ["description", "quantity", "unit", "usd_per_million", "amount_usd"], rows: lines + [total])
    }

    private func json(_ invoice: Invoice) -> JSON {
        [
            "object": "invoice", "key_id": .string(invoice.key.id), "key": .string(invoice.key.name), "tenant": .string(invoice.key.tenant),
            "month": .string(invoice.monthName), "currency": "usd", "calls": .integer(Int64(invoice.calls)),
            "lines": .array(invoice.lines.map { line in
                [
                    "description": .string(line.description), "quantity": .integer(Int64(line.quantity)), "unit": .string(line.unit),
                    "usd_per_million": line.perMillion.map { .string($0.dollarsPerMillion) } ?? .null,
                    "amount_nano_usd": .integer(line.amount.count), "amount_usd": .string("\(line.amount)"),
                ]
            }),
            "total_nano_usd": .integer(invoice.total.count), "total_usd": .string("\(invoice.total)"),
        ]
    }
}

extension Invoice {
    /// `2026-11`
    var monthName: String { Period.month.name(Int64(month.lowerBound.timeIntervalSince1970)) }
}

extension UnitPrice {
    /// Exact decimal US dollars for a million units.
    var dollarsPerMillion: String { "\(NanoUSD(nanoUSDPerMillion))" }
}
