import Foundation
import Ledger
import Testing
import Wire

@Suite struct IdempotencyTests {
    private func request(_ key: APIKey, _ token: String, _ fingerprint: [UInt8] = [1], _ id: UUIDv7 = UUIDv7()) -> IdempotentRequest {
        IdempotentRequest(key: key.id, token: token, fingerprint: fingerprint, invocation: id)
    }

    private let answer = KeptAnswer(status: 200, headers: [["content-type", "text/plain"]], body: Array("hello".utf8))
    private let succeeded = Settlement(status: .succeeded, httpStatus: 200, duration: .zero)

    @Test func `One of many runs; all that come later get its answer`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let reservation = Reservation(key: key.id, tenant: key.tenant, function: "f", route: "POST /f")
        let mine = request(key, "t", [1], reservation.id)
        #expect(try await ledger.claim(mine) == .new)
        #expect(try await ledger.claim(request(key, "t")) == .running)
        #expect(try await ledger.claim(request(key, "t", [2])) == .different)
        #expect(try await ledger.claim(request(key, "other")) == .new)
        try await ledger.reserve(reservation)
        try await ledger.settle(reservation.id, succeeded, answering: (mine, answer))
        #expect(try await ledger.claim(request(key, "t")) == .answered(answer, invocation: reservation.id))
        // What is answered cannot be let go.
        try await ledger.unclaim(mine)
        #expect(try await ledger.claim(request(key, "t")) == .answered(answer, invocation: reservation.id))
        // A day later it is forgotten.
        #expect(try await ledger.claim(request(key, "t"), now: .now + 86_401) == .new)
    }

    @Test func `What was let go, or left by a dead gateway, may be asked again`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let mine = request(key, "t")
        #expect(try await ledger.claim(mine) == .new)
        // Another's cannot be let go.
        try await ledger.unclaim(request(key, "t"))
        #expect(try await ledger.claim(request(key, "t")) == .running)
        try await ledger.unclaim(mine)
        #expect(try await ledger.claim(request(key, "t")) == .new)
        try await ledger.settleLeftovers()
        #expect(try await ledger.claim(request(key, "t")) == .new)
    }

    @Test func `An answer too large to be kept is known to have been given`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let reservation = Reservation(key: key.id, tenant: key.tenant, function: "f", route: "POST /f")
        let mine = request(key, "t", [1], reservation.id)
        #expect(try await ledger.claim(mine) == .new)
        try await ledger.reserve(reservation)
        let large = KeptAnswer(status: 200, headers: [], body: nil)
        try await ledger.settle(reservation.id, succeeded, answering: (mine, large))
        #expect(try await ledger.claim(request(key, "t")) == .answered(large, invocation: reservation.id))
    }
}
