import Jinja
import Testing

/// The same text as jinja2, or an error where it raises.
@Suite struct GoldenTests {
    @Test func theLanguage() throws {
        try compare(Goldens(fromFiles: false), atLeast: 860)
    }

    @Test func publishedTemplates() throws {
        try compare(Goldens(fromFiles: true), atLeast: 2100)
    }

    private func compare(_ goldens: Goldens, atLeast count: Int) throws {
        #expect(goldens.cases.count >= count)
        for golden in goldens.cases {
            let result = Result { try Template(golden.template).render(golden.context.context(), now: goldens.now).string }
            switch (result, golden.expected) {
            case (.success(let text), let expected?): #expect(text == expected, "\(golden.name)")
            case (.success(let text), nil): Issue.record("\(golden.name): jinja2 raises \(golden.raises ?? ""); here it is \(text.prefix(200))")
            case (.failure(let error), let expected?): Issue.record("\(golden.name): \(error); jinja2 has \(expected.prefix(200))")
            case (.failure, nil): break
            }
        }
    }
}
