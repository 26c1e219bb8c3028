import Foundation
import Front
import Ledger
import Testing
import Wire

@Suite struct UsagePageTests {
    /// An hour's worth of calls of so many models.
    private func hour(_ start: Date, models: Int) -> [UsageGroup] {
        (0..<models).map { UsageGroup(start: start, values: ["model-\($0)"], calls: 1, usage: TokenUsage(promptTokens: 1)) }
    }

    private struct Page: Decodable {
        struct Bucket: Decodable { let results: [Result] }
        struct Result: Decodable { let model: String }
        let data: [Bucket]
        let has_more: Bool
        let next_page: String?
    }

    private func page(_ query: String, now: Date, _ found: [UsageGroup]) throws -> Page {
        let text = try UsagePage(.usage, parameters: QueryParameters(query), now: now).json(found)
        return try JSONDecoder().decode(Page.self, from: Data(text.utf8))
    }

    @Test func `A page with too many results ends at the end of a bucket, and the next one goes on there`() throws {
        let start = Date(timeIntervalSince1970: 1_800_000_000)
        let found = (0..<3).flatMap { hour(start + TimeInterval($0 * 3600), models: 9_000) }
        let query = "bucket_width=1h&limit=3&start_time=1800000000&end_time=1800010800&group_by=model"
        let first = try page(query, now: start + 10_800, found)
        #expect(first.data.map(\.results.count) == [9_000, 9_000])
        #expect(first.has_more && first.next_page == "page_1800007200")
        let last = try page(query + "&page=page_1800007200", now: start + 10_800, Array(found.suffix(9_000)))
        #expect(last.data.map(\.results.count) == [9_000])
        #expect(!last.has_more && last.next_page == nil)
    }

    @Test func `A bucket is never cut, however much it has`() throws {
        let start = Date(timeIntervalSince1970: 1_800_000_000)
        let query = "bucket_width=1h&limit=1&start_time=1800000000&end_time=1800003600&group_by=model"
        let all = try page(query, now: start + 3600, hour(start, models: 25_000))
        #expect(all.data.map(\.results.count) == [25_000])
        #expect(!all.has_more)
    }
}
