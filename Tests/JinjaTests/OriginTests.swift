import Jinja
import Testing

/// Every character of what is rendered knows whether the template or its input wrote it.
@Suite struct OriginTests {
    /// What the template wrote in `<…>`, what came in as it is.
    private func marked(_ template: String, now: Int? = nil) throws -> String {
        let input: [(name: String, value: Value)] = [
            ("x", .string("ab \"c\"", isTrusted: false)), ("role", .string("user", isTrusted: true)), ("n", .int(7)),
            ("list", try .list([.string("p", isTrusted: false), .string("q", isTrusted: true)])),
        ]
        return try Template(template).render(input, now: now).spans.map { $0.isTrusted ? "<\($0.text)>" : $0.text }.joined()
    }

    @Test(arguments: [
        ("t{{ x }}u", "<t>ab \"c\"<u>"),
        ("{{ '|' ~ x ~ '|' ~ n }}", "<|>ab \"c\"<|7>"),
        ("{{ '<|' + role + '|>' }}", "<<|user|>>"),
        ("{{ x|upper }}{{ x|replace('b', 'z') }}", "AB \"C\"a<z> \"c\""),
        ("{{ x|tojson }}", "<\">ab \\\"c\\\"<\">"),
        ("{{ x[0] }}{{ x[::-1] }}{{ x.split(' ')[0] }}{{ x|first }}", "a\"c\" baaba"),
        ("{{ '%s!' % x }}{{ '{}?'.format(x) }}", "ab \"c\"<!>ab \"c\"<?>"),
        ("{% set y %}[{{ x }}]{% endset %}{{ y }}", "<[>ab \"c\"<]>"),
        ("{% macro m(a) %}({{ a }}){% endmacro %}{{ m(x) }}", "<(>ab \"c\"<)>"),
        ("{{ list }}{{ list|join('-') }}", "<['>p<', 'q']>p<-q>"),
        ("{% for c in x %}{{ c }}.{% endfor %}", "a<.>b<.> <.>\"<.>c<.>\"<.>"),
        ("{{ x|length }}{{ x == 'ab \"c\"' }}{{ x|indent }}{{ x.center(8) }}", "<6True>ab \"c\"< >ab \"c\"< >"),
        ("{% filter upper %}a{{ x }}{% endfilter %}", "<A>AB \"C\""),
        ("{{ {x: x} }}", "<{'>ab \"c\"<': '>ab \"c\"<'}>"),
        ("{{ x|trim('a') ~ x.strip('\"') }}", "b \"c\"ab \"c"),
        ("{{ x.title() }}{{ x|e }}", "Ab \"C\"ab &#34;c&#34;"),
    ])
    func textKeepsItsOrigin(template: String, expected: String) throws {
        #expect(try marked(template) == expected)
    }

    @Test func errorsNameTheirLine() throws {
        #expect { try Template("a\n\n{{ 1 +\n }}") } throws: { "\($0)" == "line 4: expected an expression, got '}}'" }
        #expect { try Template("a\n{% for x in [1] %}\n{{ x.y.z }}{% endfor %}").render([]) } throws: {
            "\($0)" == "line 3: 'int object' has no attribute 'y'"
        }
        #expect { try Template("{% if 1 %}\n{{ raise_exception('Roles must alternate') }}{% endif %}").render([]) } throws: {
            ($0 as? TemplateError)?.isRaised == true && "\($0)" == "line 2: Roles must alternate"
        }
    }
}
