import FoundationEssentials
import Ledger
import Mustache
import Wire

/// An invoice as an HTML page that prints on paper, with nothing loaded from elsewhere.
enum InvoicePage {
    static func html(_ invoice: Invoice) throws -> String {
        try MustacheTemplate(string: template).render(Content(invoice))
    }

    private struct Content {
        struct Line {
            let description, quantity, unit, price, amount: String
        }

        let month, key, keyID, tenant, calls, total: String
        let lines: [Line]

        init(_ invoice: Invoice) {
            month = invoice.monthName
            key = invoice.key.name
            keyID = invoice.key.id
            tenant = invoice.key.tenant
            calls = "\(invoice.calls)"
            total = "\(invoice.total)"
            lines = invoice.lines.map { line in
                Line(
                    description: line.description, quantity: "\(line.quantity)", unit: line.unit,
                    price: line.perMillion?.dollarsPerMillion ?? "", amount: "\(line.amount)")
            }
        }
    }

    private static let template = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <title>Invoice {{month}}, {{key}}</title>
        <style>
        body { font: 11pt/1.5 sans-serif; max-width: 48em; margin: 3em auto; padding: 0 1em; color: #111; }
        h1 { font-size: 1.6em; margin-bottom: 0.2em; }
        dl { display: grid; grid-template-columns: max-content auto; gap: 0 1em; margin: 0 0 2em; }
        dt { color: #555; } dd { margin: 0; }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        th, td { text-align: left; padding: 0.3em 0.6em 0.3em 0; border-bottom: 1px solid #ccc; }
        th.n, td.n { text-align: right; padding-right: 0; padding-left: 0.6em; }
        tfoot td { font-weight: bold; border-bottom: none; border-top: 2px solid #111; }
        tr { break-inside: avoid; }
        @page { margin: 2cm; }
        @media print { body { margin: 0; max-width: none; } }
        </style>
        </head>
        <body>
        <h1>Invoice {{month}}</h1>
        <dl>
        <dt>Key</dt><dd>{{key}} ({{keyID}})</dd>
        <dt>Tenant</dt><dd>{{tenant}}</dd>
        <dt>Model calls</dt><dd>{{calls}}</dd>
        </dl>
        <table>
        <thead><tr><th>Description</th><th class="n">Quantity</th><th>Unit</th><th class="n">USD per million</th><th class="n">USD</th></tr></thead>
        <tbody>
        {{#lines}}
        <tr><td>{{description}}</td><td class="n">{{quantity}}</td><td>{{unit}}</td><td class="n">{{price}}</td><td class="n">{{amount}}</td></tr>
        {{/lines}}
        </tbody>
        <tfoot><tr><td colspan="4">Total</td><td class="n">{{total}}</td></tr></tfoot>
        </table>
        </body>
        </html>

        """
}
