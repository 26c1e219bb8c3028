import Foundation
import Jinja
import TestSupport
import Testing

/// A template from anywhere gives a result or an error, soon and in bounded memory.
@Suite struct BoundsTests {
    @Test(arguments: [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ 'a' * 1000000000000 }}", "{{ [0] * 1000000000 }}", "{{ 'x'|center(10 ** 12) }}", "{{ '%999999999999d' % 1 }}",
        "{{ '{:99999999}'.format(1) }}", "{{ 'a'.ljust(10 ** 15) }}", "{{ 'a\tb'.expandtabs(10 ** 15) }}", "{{ '%.99999999f' % 1.0 }}",
        "{{ 'a'|indent(10 ** 15, true) }}", "{{ [1]|slice(10 ** 15)|list }}", "{{ [1]|batch(10 ** 15, 0)|list }}", "{{ [1]|tojson(indent=10 ** 15) }}",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x|replace('a', 'aaaaaaaaaa') %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(64) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == ns.x[0] }}{{ ns.x|tojson }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = ns.x|map('string') %}{% endfor %}{{ ns.x|list }}",
        "{% set ns = namespace(x=namespace()) %}{% for i in range(99999) %}{% set n = namespace(x=ns.x) %}{% set ns.x = n %}{% endfor %}",
        "{{ 2 ** 63 }}", "{{ 9223372036854775807 + 1 }}", "{{ -9223372036854775807 - 2 }}", "{{ 99999999999999999999 }}", "{{ 10 ** 400 }}", "{{ 10.0 ** 400 }}",
    ])
    func whatGrowsWithoutEndIsRefused(template: String) throws {
        let start = Bounds.processorTime
        let wasRefused = (try? Template(template).render([])) == nil
        #expect(wasRefused || template.contains("namespace(x=namespace())"))
        #expect(Bounds.processorTime - start < 1)
    }

    @Test(arguments: ["(", "[", "{'a':", "-", "not ", "1 + ", "1 if ", "a[", "a(", "a.b", "a|upper"])
    func nestingIsBounded(piece: String) {
        let source = "{{ " + String(repeating: piece, count: 100_000)
        #expect(throws: TemplateError.self) { try Template(source) }
        #expect(throws: TemplateError.self) { try Template(source + " 1 }}").render([]) }
        #expect(throws: TemplateError.self) { try Template(String(repeating: "{% if 1 %}", count: 100_000)) }
        #expect(throws: TemplateError.self) { try Template(String(repeating: "{% set x %}", count: 100_000)) }
    }

    /// What is allowed fits into the smallest stack that a thread of ours has.
    @Test func theDeepestTemplateFitsTheStack() throws {
        let deepest = [
            "{{ " + String(repeating: "(", count: 58) + "1" + String(repeating: ")", count: 58) + " }}",
            "{{ 1" + String(repeating: " + 1", count: 190) + " }}", "{{ x" + String(repeating: ".a", count: 190) + " is defined }}",
            String(repeating: "{% if 1 %}", count: 60) + String(repeating: "{% endif %}", count: 60),
            "{% macro m(n) %}" + String(repeating: "{% if 1 %}", count: 20) + "{{ ([[m(n + 1)]]|first)[0] ~ '' }}" + String(repeating: "{% endif %}", count: 20) + "{% endmacro %}{{ m(0) }}",
            "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(0) }}",
            "{% macro m(n) %}{% call m(n) %}{{ caller() }}{% endcall %}{% endmacro %}{{ m(0) }}",
            "{% for x in [1] recursive %}{{ loop([[1]]|map('first')|list) }}{% endfor %}",
            "{% macro m(n) %}{% set x %}{{ [1]|map('string')|list }}{% filter upper %}{{ m(n) }}{% endfilter %}{% endset %}{% endmacro %}{{ m(0) }}",
        ]
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            for source in deepest { _ = try? Template(source).render([]) }
            done.signal()
        }
        thread.stackSize = 512 << 10
        thread.start()
        done.wait()
    }

    @Test func aLongConversationIsNoAttack() throws {
        let template = try Template("{% for m in messages %}{{ '<' ~ m.role ~ '>' + m.content|trim }}{% if '</t>' in m.content %}!{% endif %}{% endfor %}")
        let message = try Value.dict([("role", .string("user", isTrusted: true)), ("content", .string(String(repeating: "word ", count: 1000), isTrusted: false))])
        let text = try template.render([("messages", .list(Array(repeating: message, count: 1000)))])
        #expect(text.string.utf8.count == 1000 * (6 + 4999))
    }

    /// Published templates, changed at random places: whatever comes of it comes soon.
    @Test func mutatedTemplates() throws {
        guard let folder = Goldens.templates else { throw Goldens.Missing() }
        let sources = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".jinja") }.sorted().map {
            Array(try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8).unicodeScalars)
        }
        let conversations = try Goldens(fromFiles: true).cases.prefix(30).map { try $0.context.context() }
        var random = Generator(state: 42)
        let pieces = [
            "{{", "}}", "{%", "%}", "-%}", "{#", "#}", "(", ")", "[", "]", "|", ".", "~", "'", "\"", " in ", " is ", " if ", "{% for x in messages %}",
            "{% endfor %}", "{% endif %}", "{% set x = x ~ x %}", "99999999", " ** ", " * ", "recursive", "loop(", "namespace(", "range(99999)",
            "messages", "|list", "|tojson", "\\", "\n", "é", "🦊", "none",
        ].map { Array($0.unicodeScalars) }
        let bounds = Bounds()
        var slowest = 0.0
        var rendered = 0
        for round in 0..<10_000 {
            var source = sources[round % sources.count]
            for _ in 0..<random.next(1...4) {
                let start = random.next(0...source.count - 1)
                let end = min(source.count, start + random.next(0...12))
                switch random.next(0...3) {
                case 0: source.removeSubrange(start..<end)
                case 1: source.insert(contentsOf: pieces[random.next(0...pieces.count - 1)], at: start)
                case 2: source.replaceSubrange(start..<end, with: pieces[random.next(0...pieces.count - 1)])
                default: source.insert(contentsOf: source[start..<end], at: random.next(0...source.count))
                }
                if source.isEmpty { source = ["x"] }
            }
            let text = String(String.UnicodeScalarView(source))
            let start = Bounds.processorTime
            if (try? Template(text).render(conversations[round % conversations.count])) != nil { rendered += 1 }
            slowest = max(slowest, Bounds.processorTime - start)
        }
        // Most changes are of text, or of a branch that is not taken.
        #expect((1000..<9900).contains(rendered))
        #expect(slowest < 1)
        #expect(try bounds.growth() < 256 << 20)
    }

    private struct Generator {
        var state: UInt64
        mutating func next(_ range: ClosedRange<Int>) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return range.lowerBound + Int((state >> 33) % UInt64(range.count))
        }
    }
}
