import Crypto
import FoundationEssentials
import HTTPClient
import Ledger
import Logging
import ServiceLifecycle
import Wire

/// Tells the webhook of keys that have passed their soft budgets: at least once each, and again after a growing pause until the
/// webhook answers with success. What is waiting is in the ledger, so that a restart loses none.
struct AlertService: Service {
    /// How often the ledger is asked: one look-up in an index of what is waiting.
    private static let interval = Duration.seconds(1)
    private static let longestPause = Duration.seconds(300)

    let ledger: Ledger
    let webhook: WebhookSettings
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var pause = Self.interval
            while !Task.isCancelled {
                try? await Task.sleep(for: pause)
                pause = await deliverWaiting() ? Self.interval : min(pause * 2, Self.longestPause)
            }
        }
    }

    /// - Returns: whether all were delivered.
    private func deliverWaiting() async -> Bool {
        do {
            for alert in try await ledger.waitingAlerts() {
                try await send(alert)
                try await ledger.delivered(alert)
                logger.notice("told the webhook that '\(alert.key.name)' has passed its soft budget of \(alert.softBudget) USD")
            }
            return true
        } catch {
            if !Task.isCancelled { logger.warning("the webhook could not be told of a soft budget and will be: \(error)") }
            return false
        }
    }

    private func send(_ alert: BudgetAlert) async throws {
        let body: [UInt8] = try JSON.encode(alert.event)
        let signature = WebhookSignature(id: "\(alert.id)", time: .now, body: body, secret: webhook.secret)
        let response = try await HTTPClient.send(
            HTTPClient.Request(
                method: "POST", url: webhook.url,
                headers: [HTTPClient.Field("Content-Type", "application/json")] + signature.headers.map { HTTPClient.Field($0.name, $0.value) },
                body: body, timeouts: HTTPClient.Timeouts(total: .seconds(10))))
        guard response.isSuccess else {
            throw APIError(status: response.status, message: "\(webhook.url) answered with status \(response.status).", type: "webhook_error")
        }
    }
}

extension BudgetAlert {
    /// What the webhook gets.
    fileprivate var event: JSON {
        [
            "type": "key.soft_budget_passed", "id": .string("\(id)"), "timestamp": .string(created.ISO8601Format()),
            "data": [
                "key": .string(key.id), "name": .string(key.name), "tenant": .string(key.tenant),
                "owner": key.settings.owner.map(JSON.string) ?? .null,
                "soft_budget": .number(Double(softBudget.count) / 1e9), "spent": .number(Double(spent.count) / 1e9),
                "max_budget": key.settings.maxBudget.map { .number(Double($0.count) / 1e9) } ?? .null,
                "budget_duration": .string(key.settings.budgetDuration.rawValue),
            ],
        ]
    }
}

/// The signature of Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 of id, time and body.
package struct WebhookSignature: Sendable {
    package let headers: [(name: String, value: String)]

    /// - Parameter secret: its bytes are the key; with the prefix `whsec_`, what follows is the key in base64.
    package init(id: String, time: Date, body: [UInt8], secret: String) {
        let prefix = "whsec_"
        let key = secret.hasPrefix(prefix) ? Data(base64Encoded: String(secret.dropFirst(prefix.count))) : nil
        let seconds = Int64(time.timeIntervalSince1970)
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(id).\(seconds).".utf8) + Data(body), using: SymmetricKey(data: key ?? Data(secret.utf8)))
        headers = [
            ("webhook-id", id), ("webhook-timestamp", "\(seconds)"), ("webhook-signature", "v1,\(Data(code).base64EncodedString())"),
        ]
    }
}
