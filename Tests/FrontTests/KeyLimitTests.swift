import Front
import HTTPTypes
import Ledger
import Testing

/// Time is made by hand.
@Suite struct KeyLimitTests {
    private let start = ContinuousClock.now

    private func settings(rpm: Int? = nil, tpm: Int? = nil, parallel: Int? = nil) -> KeySettings {
        var settings = KeySettings()
        (settings.rpmLimit, settings.tpmLimit, settings.maxParallelRequests) = (rpm, tpm, parallel)
        return settings
    }

    private func refusal(_ limits: inout KeyLimits, _ settings: KeySettings, at seconds: Double) -> KeyLimits.Refusal? {
        do throws(KeyLimits.Refusal) {
            try limits.begin(settings, now: start + .seconds(seconds))
            return nil
        } catch {
            return error
        }
    }

    @Test func requestsAreLetInByTheMinute() {
        var limits = KeyLimits()
        let six = settings(rpm: 6)
        for _ in 0..<6 { #expect(refusal(&limits, six, at: 0) == nil) }
        #expect(refusal(&limits, six, at: 0) == .requests(limit: 6, retryAfter: .seconds(10)))
        #expect(refusal(&limits, six, at: 9) == .requests(limit: 6, retryAfter: .seconds(1)))
        #expect(refusal(&limits, six, at: 10) == nil)
        #expect(refusal(&limits, six, at: 10) != nil)
        // However long nobody asks, no more than a minute's worth is saved up.
        for _ in 0..<6 { #expect(refusal(&limits, six, at: 3600) == nil) }
        #expect(refusal(&limits, six, at: 3600) != nil)
    }

    @Test func tokensAreDueWhenTheirRequestHasEnded() {
        var limits = KeyLimits()
        let hundred = settings(tpm: 60)
        #expect(refusal(&limits, hundred, at: 0) == nil)
        limits.end(tokens: 90)
        // 30 too many: a token a second.
        #expect(refusal(&limits, hundred, at: 0) == .tokens(limit: 60, retryAfter: .seconds(31)))
        #expect(refusal(&limits, hundred, at: 31) == nil)
        #expect(limits.running == 1)
    }

    @Test func onlySoManyRunAtOnce() {
        var limits = KeyLimits()
        let two = settings(parallel: 2)
        #expect(refusal(&limits, two, at: 0) == nil)
        #expect(refusal(&limits, two, at: 0) == nil)
        #expect(refusal(&limits, two, at: 0) == .parallel(limit: 2))
        limits.end(tokens: 5)
        #expect(refusal(&limits, two, at: 0) == nil)
    }

    @Test func aClockThatGoesBackNeitherGivesNorTakes() {
        var limits = KeyLimits()
        let six = settings(rpm: 6)
        for _ in 0..<6 { #expect(refusal(&limits, six, at: 100) == nil) }
        #expect(refusal(&limits, six, at: 0) == .requests(limit: 6, retryAfter: .seconds(10)))
        #expect(refusal(&limits, six, at: 105) == .requests(limit: 6, retryAfter: .seconds(5)))
        #expect(refusal(&limits, six, at: 110) == nil)
    }

    @Test func aLimitMayChangeAndGo() {
        var limits = KeyLimits()
        for _ in 0..<6 { #expect(refusal(&limits, settings(rpm: 6), at: 0) == nil) }
        #expect(refusal(&limits, settings(rpm: 7), at: 0) == nil)
        #expect(refusal(&limits, settings(rpm: 7), at: 0) != nil)
        #expect(refusal(&limits, settings(), at: 0) == nil)
        #expect(limits.headers.isEmpty)
    }

    @Test func headersAreOpenAIs() {
        var limits = KeyLimits()
        #expect(refusal(&limits, settings(rpm: 60, tpm: 6000), at: 0) == nil)
        limits.end(tokens: 1234)
        let fields = limits.headers
        func value(_ name: String) -> String? { fields.first { $0.name.canonicalName == "x-ratelimit-\(name)" }?.value }
        #expect(value("limit-requests") == "60" && value("remaining-requests") == "59" && value("reset-requests") == "1s")
        #expect(value("limit-tokens") == "6000" && value("remaining-tokens") == "4766" && value("reset-tokens") == "12.34s")
        var slow = KeyLimits()
        #expect(refusal(&slow, settings(tpm: 10), at: 0) == nil)
        slow.end(tokens: 65)
        #expect(slow.headers.contains { $0.value == "6m30s" })
    }
}
