import Foundation
import Ledger
import Testing
import Wire

@Suite struct InvocationTokenTests {
    // Made with Python's hmac and base64 modules; the key is the bytes 0 to 31.
    private static let reference =
        "eyJpbnYiOiAiMDE4OTBhNWQtYWM5Ni03NzRiLWJjY2UtYjMwMjA5OWE4MDU3IiwgInRlbiI6ICJhY21lIiwgImtleSI6ICJrMSIsICJmbiI6IC"
        + "JnZW5lcmF0ZSIsICJtb2RlbHMiOiBbImNoYXQiLCAiZW1iZWQiXSwgImV4cCI6IDE4OTM0NTYwMDAxMjN9"
        + ".vUK03dq0D58G1gULgKKf9N7IQln57WT2mFumJ1_JlOY"
    // Correctly signed, but its claims are {"inv":"x"}.
    private static let nonsense = "eyJpbnYiOiJ4In0.l1ZoAVtF1YWd_ZdIGFD40W6G4MvGoLjmrL30aURmZd0"

    private let scratch: Scratch
    private let key: TokenKey

    init() throws {
        scratch = try Scratch()
        try Data(0..<32).write(to: URL(fileURLWithPath: "\(scratch.path)/token.key"))
        key = try TokenKey(contentsOf: "\(scratch.path)/token.key")
    }

    @Test func `A token made elsewhere is read`() throws {
        let token = try InvocationToken(verifying: Self.reference, with: key, now: noon)
        #expect(token.invocation.description == "01890a5d-ac96-774b-bcce-b302099a8057")
        #expect(token.tenant == "acme")
        #expect(token.key == "k1")
        #expect(token.function == "generate")
        #expect(token.models == ["chat", "embed"])
        #expect(token.expires == Date(timeIntervalSince1970: 1_893_456_000.123))
    }

    @Test func `A signed token reads back, until it expires`() throws {
        let token = InvocationToken(
            invocation: UUIDv7(), tenant: "acme", key: "k1", function: "Ünïcode/+", models: [], expires: noon + 0.5,
            attempt: Attempt.whole.next().next())
        let text = try token.signed(with: key)
        #expect(text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) })
        #expect(try InvocationToken(verifying: text, with: key, now: noon) == token)
        #expect(throws: InvocationToken.Rejection.expired) { try InvocationToken(verifying: text, with: key, now: noon + 0.5) }
        #expect(throws: InvocationToken.Rejection.wrongSignature) { try InvocationToken(verifying: text, with: TokenKey(), now: noon) }
    }

    @Test func `No character may differ`() throws {
        for index in Self.reference.indices {
            for other in "AB_-Z" where other != Self.reference[index] {
                var forged = Self.reference
                forged.replaceSubrange(index...index, with: String(other))
                #expect(throws: InvocationToken.Rejection.self) { try InvocationToken(verifying: forged, with: key, now: noon) }
            }
        }
        let parts = Self.reference.split(separator: ".")
        for forged in [".", "\(parts[0]).", "\(parts[0]).\(parts[1].dropLast(3))", "\(parts[0])A.\(parts[1])"] {
            #expect(throws: InvocationToken.Rejection.wrongSignature) { try InvocationToken(verifying: forged, with: key, now: noon) }
        }
        for forged in ["", "..", "\(parts[0])", "\(parts[0]).\(parts[1]).\(parts[1])", "\(parts[0]).?", Self.nonsense] {
            #expect(throws: InvocationToken.Rejection.malformed) { try InvocationToken(verifying: forged, with: key, now: noon) }
        }
    }

    @Test func `Processes that start at once share one key, which only its owner reads`() throws {
        let path = "\(scratch.path)/new.key"
        let token = InvocationToken(invocation: UUIDv7(), tenant: "t", key: "k", function: "f", models: [], expires: noon + 1)
        let text = try token.signed(with: TokenKey.loadOrCreate(at: path))
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            #expect(throws: Never.self) {
                try InvocationToken(verifying: text, with: TokenKey.loadOrCreate(at: path), now: noon)
            }
        }
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
        #expect(Set(try FileManager.default.contentsOfDirectory(atPath: scratch.path)) == ["token.key", "new.key"])
    }

    @Test func `A key of the wrong length is refused`() throws {
        let path = "\(scratch.path)/short.key"
        try Data(0..<31).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: LedgerError.self) { try TokenKey.loadOrCreate(at: path) }
        #expect(error?.code == .damaged)
        #expect(throws: LedgerError.self) { try TokenKey(contentsOf: "\(scratch.path)/none") }
    }
}
