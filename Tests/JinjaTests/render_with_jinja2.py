#!/usr/bin/env python3
"""What jinja2 makes of templates, as `transformers` sets it up: the values that JinjaTests compares with.

    render_with_jinja2.py TEMPLATES_FOLDER OUT.json

Writes a list of cases {"name", "template" or "file", "context", and "expected" or "raises"}: the language's features below, and every
template of the folder with every conversation below.
"""

import datetime
import json
import random
import sys
from pathlib import Path

import jinja2
import jinja2.ext
import jinja2.sandbox

NOW = datetime.datetime(2026, 3, 9, 14, 5, 6)


class GenerationTag(jinja2.ext.Extension):
    """transformers' AssistantTracker, as far as it shows in the text."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


def environment():
    """transformers.utils.chat_template_utils._compile_jinja_template"""

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, jinja2.ext.loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda format: NOW.strftime(format)
    return made


ENVIRONMENT = environment()


def case(name, source, context, **extra):
    result = {"name": name, **extra, "context": context}
    try:
        result["expected"] = ENVIRONMENT.from_string(source).render(**context)
        result["expected"].encode()
    except Exception as error:  # A template can raise anything that Python can.
        result["raises"] = f"{type(error).__name__}: {error}"
    return result


# The language

CONTEXT = {
    "name": "Ada", "empty": "", "text": "Hello, World", "multi": "one\ntwo\n\nthree", "html": "<b>\"x\" & 'y'</b>", "unicode": "naïve café – 日本語 🦊",
    "numbers": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "nothing": None, "yes": True, "no": False, "zero": 0, "seven": 7,
    "pi": 3.14159, "big": 1e20, "small": 1e-7, "whole": 2.0, "nested": {"a": {"b": [1, {"c": "deep"}]}, "items": "shadow", "x": None},
    "people": [{"name": "Ada", "age": 36, "tags": ["x", "y"]}, {"name": "bob", "age": 25, "tags": []}, {"name": "Cyd", "age": 36}],
    "pairs": [["a", 1], ["b", 2]], "quote": "it's \"so\"", "control": "\x00\x1f\x7f\u200b\n\t\\", "spaces": " \t x y \n",
    "json": {"s": "é\"\\\n\u2028/<>&'", "n": [1, 2.5, 1e100, -0.0, True, None], "e": {}, "l": []},
}

EXPRESSIONS = """
1 + 2 * 3 - 4|||7 / 2|||8 / 2|||-7 // 2|||7 // -2|||-7 % 3|||7 % -3|||7.5 // 2|||-7.5 % 2|||2 ** 10|||2 ** -1|||2 ** 3 ** 2|||-2 ** 2|||1 / 0|||1 % 0|||1 // 0
1e3|||1.5e-3|||1_000|||0x1F|||0b101|||0o17|||1.0|||100000000000000000.0|||1e16|||1e15|||123456789012345680.0|||0.0001|||0.00001|||-0.0|||1e22|||1e-5
10|int + 0.5|||True + 1|||'a' * 3|||3 * 'ab'|||'a' * -1|||[1] * 2 + [2]|||'a' + 'b'|||'a' + 1|||1 + 'a'|||[1] + (2,)|||(1,) + (2, 3)|||none + 1
'a' ~ 1 ~ none ~ true ~ 1.0 ~ [1, 'x'] ~ {'k': 2}|||"x" 'y'|||'a\\n\\t\\x41\\u00e9\\U0001F98A\\'\\"\\q\\\\'
1 < 2 < 3|||1 < 3 < 2|||1 == 1.0|||1 == true|||'1' == 1|||none == none|||[1, 2] == [1, 2.0]|||{'a': 1} == {'a': 1.0}|||'a' < 'b'|||'a' < 1|||[1, 2] < [1, 3]|||[1] < [1, 0]|||none < 1|||missing == missing|||missing == none|||missing != 1
1 in [1, 2]|||'a' in 'cat'|||'' in 'cat'|||1 in 'cat'|||'name' in people[0]|||'x' not in 'cat'|||1 in missing|||1 in none|||[1] in [[1]]|||(1,) in {(1,): 2}|||[1] in {'a': 1}
not true|||not empty|||not not 1|||true and 'x'|||'' or 'y'|||0 or none|||1 and 0|||false and missing.x|||yes or missing.x|||not missing
name if yes else 'no'|||name if no else 'no'|||name if no|||(name if no) is defined|||1 if 0 else 2 if 0 else 3|||'a' if missing else 'b'
missing|||missing.x|||missing['x']|||missing()|||missing + 1|||-missing|||nested.missing|||nested.missing.x|||nothing.x|||nothing['x']|||nothing.x.y|||name.foo|||name.foo.bar|||5 .x|||people[9]|||people[9].name|||people['x']
nested.a.b[1].c|||nested['a']['b'][0]|||nested.items|string|truncate(9)|||nested['items']|||nested.x|||nested.a.b.0|||people[-1].name|||people[0]['name']|||text[0]|||text[-1]|||text[99]|||numbers.0|||numbers[true]|||numbers[1.0]
text[1:4]|||text[:-1]|||text[::2]|||text[::-1]|||text[5:1]|||text[-3:]|||numbers[1:]|||numbers[::-1]|||numbers[:99]|||text[none:3]|||text['a':]|||missing[1:]|||nothing[1:]|||(1,2,3)[1:]|||text[::0]|||unicode[2:7]|||unicode[-1]|||range(9)[2:8:3]|||nested[1:]
[1, 'a', none, true, 2.0]|||(1,)|||()|||(1, 2)|||{'a': 1, 'b': [1], 3: 'c', none: 1}|||[quote, control, unicode]|||[missing]|||{'a': 1, 'a': 2}|||{1: 'a', true: 'b', 1.0: 'c'}|||[]|||{}|||{[1]: 2}|||1, 2|||[1,]|||{'a': 1,}
none|||None|||true|||True|||false|||nothing|||yes|||pi|||big|||small|||whole|||seven|||zero|||people|||nested|||numbers|||html|||control|||json
text is string|||1 is string|||1 is number|||true is number|||1.0 is float|||1 is integer|||true is integer|||true is boolean|||1 is boolean|||none is none|||missing is none|||missing is defined|||missing is undefined|||nested.q is defined|||nested.x is defined
numbers is sequence|||text is sequence|||nested is sequence|||missing is sequence|||1 is sequence|||numbers is iterable|||text is iterable|||1 is iterable|||missing is iterable|||nested is mapping|||numbers is mapping|||missing is mapping|||none is iterable
3 is odd|||3 is even|||2.0 is even|||6 is divisibleby 3|||6 is divisibleby(4)|||1 is eq 1|||1 is ne 2|||1 is lt 2|||2 is ge 2|||1 is in [1]|||1 is sameas 1|||true is sameas true|||1 is sameas true|||yes is true|||1 is true|||no is false|||zero is false|||'a' is lower|||'A' is upper|||'1' is upper|||range is callable|||name is callable|||'upper' is filter|||'odd' is test|||'x' is filter|||1 is equalto 1|||none is not none|||1 is not string and 2 is number|||'a' is in 'abc'|||1 is not odd or true|||'x'|safe is escaped|||1 is nosuchtest|||'a' is odd
text|upper|||text|lower|||text|title|||text|capitalize|||'hello-big (old) world' |title|||text|length|||unicode|length|||numbers|length|||nested|length|||missing|length|||1|length|||none|length|||text|reverse|||numbers|reverse|list|||numbers|first|||numbers|last|||[]|first|||''|last|||[]|last is defined|||text|first|||nested|first
numbers|sort|||words|sort|||words|sort(case_sensitive=true)|||words|sort(reverse=true)|||people|sort(attribute='age')|map(attribute='name')|list|||people|sort(attribute='age,name', reverse=true)|map(attribute='name')|join|||[1,'a']|sort|||numbers|sum|||people|sum(attribute='age')|||words|sum|||numbers|min|||numbers|max|||words|max|||[]|min|||words|min(case_sensitive=true)|||people|max(attribute='age')|||[[2,1],[1,2]]|sort
words|unique|list|||words|unique(true)|list|||people|groupby('age')|length|||people|groupby('age')|map('first')|list|||(people|groupby('age'))[1].list|length|||(people|groupby('age'))[0].grouper|||people|groupby('age')|||people|groupby('tags', default='')|length
words|join|||words|join(', ')|||numbers|join('-')|||people|join(', ', attribute='name')|||'abc'|join('.')|||missing|join(',')|||nested|join(',')|||[1, none, true]|join(' ')|||none|join
words|map('upper')|list|||people|map(attribute='name')|join|||people|map(attribute='tags.0', default='-')|list|||people|map(attribute='tags')|map('length')|list|||words|map('replace', 'p', 'q')|list|||words|map('nosuch')|list|||words|map|list|||numbers|map|list|||words|map('default', 'x')|list|||words|map(attribute='upper')|list|length
numbers|select|list|||numbers|select('odd')|list|||numbers|reject('odd')|list|||numbers|select('greaterthan', 1)|list|||people|selectattr('age', 'equalto', 36)|map(attribute='name')|list|||people|rejectattr('age', '==', 36)|list|||people|selectattr('tags')|list|length|||people|selectattr('tags', 'defined')|list|length|||people|selectattr('name', 'in', ['Ada'])|list|length|||numbers|select('nosuch')|list|||people|selectattr()|list
numbers|select|length|||(numbers|select)|first|||numbers|map('string')|list|||(numbers|select) is iterable|||(numbers|map('string'))[0] is defined
missing|default('d')|||none|default('d')|||none|default('d', true)|||''|default('d')|||''|d('d', boolean=true)|||nested.q|default('z')|||missing|default|||0|default(5, true)|||missing.x|default('d')
'42'|int|||'4.7'|int|||'x'|int|||'x'|int(7)|||'0x1F'|int(0, 16)|||'1f'|int(base=16)|||none|int|||3.9|int|||-3.9|int|||' 12 '|int|||'1_000'|int|||true|int|||'1e3'|int|||'1.5'|float|||'x'|float|||'x'|float(1.5)|||7|float|||'1e5'|float|||'.5'|float|||'5.'|float|||'inf'|float|||'nan'|float|||missing|int
2.5|round|||3.5|round|||2.675|round(2)|||1234.5|round(-2)|||1234|round(-2)|||2.1|round(method='ceil')|||2.19|round(1, 'floor')|||7|round|||7|round(method='ceil')|||-5|abs|||-5.5|abs|||'x'|abs|||'x'|round|||2.5|round(0)|||2|round(1, 'up')
html|e|||html|escape|||html|safe|||(html|safe) + html|||(html|e)|e|||html|e|forceescape|||html|striptags|||(html|safe)|upper|||'<'|safe ~ '<'|||('<%s>'|safe) % '<'|||('<'|safe)|length|||[('<'|safe)]|||('a'|safe)|replace('a', '<')|||('<{}>'|safe).format('<')
text|replace('o', '0')|||text|replace('o', '0', 1)|||text|replace('', '.')|||''|replace('', 'x')|||'aaa'|replace('aa', 'b')|||text|trim|||spaces|trim|||'xxaxx'|trim('x')|||text|center(20)|||text|center(5)|||name|center|||5|upper|||none|upper|||none|trim|||missing|upper|||5|replace(5, 6)
multi|indent|||multi|indent(2, true)|||multi|indent(2, true, true)|||multi|indent('> ')|||multi|indent(width=2, first=true)|||5|indent|||''|indent(2, true)|||text|truncate(8)|||text|truncate(8, true)|||text|truncate(9, false, '')|||text|truncate(3, leeway=0)|||text|truncate(2)|||text|wordcount|||unicode|wordcount|||'a_b c-d'|wordcount
numbers|batch(2)|list|||numbers|batch(2, 0)|list|||range(7)|slice(3)|list|||range(7)|slice(3, 'x')|list|||nested|dictsort|length|||{'b': 1, 'A': 2}|dictsort|||{'b': 1, 'A': 2}|dictsort(true)|||{'b': 1, 'A': 2}|dictsort(by='value')|||{'b': 1, 'A': 2}|dictsort(reverse=true)|||5|dictsort|||{'a': 1}|items|list|||missing|items|list|||5|items|list|||{'a': 1}|list
'%s is %d' % ('a', 5)|||'%s' % 'x'|||'%5.2f|' % pi|||'%-5s|' % 'a'|||'%05d' % 42|||'%+d' % 5|||'%x %X %o' % (255, 255, 8)|||'%r' % 'a'|||'%e' % 12345.678|||'%g' % 0.00001|||'%%' % ()|||'%(name)s' % people[0]|||'%s' % none|||'%d' % 'x'|||'%s %s' % 'x'|||'%s' % ('a', 'b')|||'%d' % 3.7|||'%.2s' % 'abc'|||'%*d' % (5, 42)|||'%c' % 65|||'%5s' % unicode[2:5]|||'%q' % 1|||'%#x' % 255|||'% d' % 5|||'%i' % true|||'%s' % [1]|||'%' % 1
'%s-%s'|format('a', 1)|||'%(a)s'|format(a=1)|||'{} {}'.format(1, 'a')|||'{0} {1} {0}'.format('a', 'b')|||'{name}!'.format(name='x')|||'{a[x]} {a.y}'.format(a={'x': 1, 'y': 2})|||'{:>5}|{:<5}|{:^5}|'.format('a', 'b', 'c')|||'{:05d}'.format(42)|||'{:.2f}'.format(pi)|||'{:,}'.format(1234567)|||'{!r}'.format('a')|||'{{}}'.format()|||'{}'.format()|||'{x}'.format()|||'{:*^9}'.format('mid')|||'{:+}'.format(5)|||'{:x}'.format(255)|||'{:#x}'.format(255)|||'{:%}'.format(0.25)|||'{:e}'.format(1234.5)|||'{:g}'.format(1e10)|||'{:10.3}|'.format('abcdef')|||'{:{}}|'.format('a', 5)|||'{'.format()|||'}'.format()|||'{:d}'.format('x')|||'{0}{}'.format(1, 2)|||'{a[0]}'.format(a=numbers)|||'{:s}'.format(5)|||'{}'.format(none)|||'{:>6}'.format(1.5)|||'{:_}'.format(1234567)|||'{:,.2f}'.format(1234567.891)|||'{:08.2f}'.format(-3.14159)|||'{:b}'.format(5)|||'{}'.format(true)|||'{:5}'.format(true)|||'{}'.format(1.0)
text.upper()|||text.lower()|||text.split(', ')|||text.split()|||spaces.split()|||'a b  c'.split(' ')|||'a,b,c'.split(',', 1)|||'a b c d'.split(none, 2)|||' a b c '.split(maxsplit=1)|||'a b c'.rsplit(' ', 1)|||' a b c '.rsplit(none, 1)|||''.split()|||''.split(',')|||'a'.split('')|||multi.splitlines()|||multi.splitlines(true)|||'a\\r\\nb\\rc\\x0bd'.splitlines()
spaces.strip()|||spaces.lstrip()|||spaces.rstrip()|||'xxaxx'.strip('x')|||'xyaxy'.lstrip('yx')|||'abc'.rstrip('bc')|||spaces.strip(none)|||text.startswith('He')|||text.startswith(('x', 'He'))|||text.endswith('ld')|||text.startswith('llo', 2)|||text.endswith('x', 0, 3)|||text.startswith(1)|||text.find('o')|||text.find('o', 5)|||text.find('zz')|||text.rfind('o')|||text.index('W')|||text.index('zz')|||text.count('o')|||text.count('')|||text.find('o', -3)
text.replace('l', 'L')|||text.replace('l', 'L', 2)|||text.replace(old='l', new='x')|||'-'.join(words)|||', '.join([1])|||'x'.join('abc')|||text.title()|||text.capitalize()|||text.swapcase()|||"they're bill's".title()|||'ß'.upper()|||'a'.zfill(3)|||'-5'.zfill(4)|||'a'.center(4, '*')|||'ab'.center(5)|||'a'.ljust(3, '.')|||'a'.rjust(3)|||'a\\tb'.expandtabs(4)|||'abc'.removeprefix('a')|||'abc'.removesuffix('c')|||'a-b-c'.partition('-')|||'a-b-c'.rpartition('-')|||'abc'.partition('-')|||'abc'.partition('')
'abc'.isalpha()|||'123'.isdigit()|||'½'.isnumeric()|||'a1'.isalnum()|||' '.isspace()|||''.isspace()|||'Ab'.isupper()|||'AB'.isupper()|||'Ab Cd'.istitle()|||'a_1'.isidentifier()|||'é'.isascii()|||'abc'.islower()|||'²'.isdecimal()|||'\\n'.isprintable()|||'abc'.nosuch()|||'abc'.upper('x')|||'abc'.format|string|length > 5
nested.keys()|||nested.values()|list|length|||{'a': 1}.items()|||{'a': 1}.items()|list|||nested.get('a').b[0]|||nested.get('q')|||nested.get('q', 5)|||nested.get(key='a')|||{'a': 1}.copy()|||nested.pop('a')|||numbers.append(1)|||numbers.index(1)|||numbers.index(9)|||numbers.count(1)|||nested.update({})|||nested.setdefault('a')|||{'a': 1}.get([1])|||nested.keys() is sequence|||nested.keys()|list|||nested.keys()[0] is defined|||numbers.sort()|||2.0.is_integer()
json|tojson|||json|tojson(indent=2)|||json|tojson(ensure_ascii=true)|||json|tojson(separators=(',', ':'))|||json|tojson(sort_keys=true)|||unicode|tojson|||unicode|tojson(ensure_ascii=true)|||control|tojson|||control|tojson(true)|||missing|tojson|||[]|tojson(indent=1)|||[[]]|tojson(indent=1)|||{1: 2, none: 3, true: 4, 1.5: 5}|tojson|||(1, 2)|tojson|||range(2)|tojson|||'x'|tojson|||none|tojson|||1e100|tojson|||{'b': 1, 'a': [{}]}|tojson(indent=4, sort_keys=true)|||[1]|tojson(indent='--')|||html|tojson|||'<'|safe|tojson|||{(1,): 2}|tojson|||[1]|tojson(indent=0)
range(3)|list|||range(1, 4)|list|||range(5, 0, -2)|list|||range(0)|list|||range(3)|||range(1, 9, 2)|||range(3)[1]|||range(100001)|||range(1, 2, 0)|||range('a')|||range(3)|length|||range(2, 1)|length|||range(3) == range(3)|||dict(a=1, b='x')|||dict([['a', 1]])|||dict({'a': 1}, b=2)|||dict(5)|||namespace(a=1).a|||namespace({'a': 1}).a|||namespace().x is defined|||cycler('a', 'b').next()|||joiner()()|||strftime_now('%Y-%m-%d %H:%M:%S %d %b %B %A %j')|||raise_exception('no!')|||raise_exception(5)
(1)|||((1))|||(1,)[0]|||[[1, [2]], 3][0][1][0]|||'a'.upper().lower()|||('a' ~ 'b')|upper|||-1|abs|||-(1|abs)|||1 + 2|string|||not 1 in [1]|||not (1 in [2])|||1 if 1 in [1] else 2|||numbers | sort | first + 1|||'a' 'b'|upper|||[1, 2][0] + [3][0]|||{'a': {'b': 1}}.a.b|||{'a': 1}['a']|||(people|first).name|||people|map(attribute='name')|map('lower')|join(', ')|upper
1 +|||(1|||[1|||{'a' 1}|||1 2|||'abc|||a b|||x|nosuch|||nosuch()|||1 ? 2|||a..b|||a.|||f(a=1, 2)|||f(a=1, a=2)|||f(*a, *b)|||@|||{{|||}}|||'a' is string is string|||1 = 2|||if|||in|||none.x = 1|||not
html|urlencode|||{'a b': 'c&d'}|urlencode|||[['a', 1]]|urlencode|||'a/b c'|urlencode|||unicode|urlencode|||1|filesizeformat|||1000|filesizeformat|||1234567|filesizeformat|||1234567|filesizeformat(true)|||'x'|attr('upper') is callable|||nested|attr('a') is defined|||5|string|||none|string + 'x'|||[1,2]|string
dict(a=1) is mapping|||'a' in dict(a=1)|||dict(a=1).a|||dict(a=1)|length|||dict(a=1)|tojson|||(1,2) == [1,2]|||1.0 is integer|||0.1 + 0.2|||1 / 3|||2 ** 0.5|||1e308 * 10|||10 ** 2|||7 // 0.5|||5.0|||-5 // 2 * 2|||3 - -3|||+5|||- - 5|||10 % 3.5|||1.0 == 1|||'é' == 'é'|||'10' < '9'
"""

TEMPLATES = {
    "if": "{% if no %}a{% elif seven == 7 %}b{% else %}c{% endif %}",
    "if missing": "{% if missing %}a{% else %}b{% endif %}", "if missing attribute": "{% if missing.x %}a{% endif %}",
    "if tuple": "{% if 1, %}a{% endif %}", "else if": "{% if no %}{% else if yes %}{% endif %}",
    "for": "{% for n in numbers %}{{ n }}{% if not loop.last %},{% endif %}{% endfor %}", "for else": "{% for n in [] %}x{% else %}none{% endfor %}",
    "for missing": "{% for n in missing %}x{% else %}none{% endfor %}", "for int": "{% for n in 5 %}x{% endfor %}", "for none": "{% for n in none %}x{% endfor %}",
    "for text": "{% for c in 'añ🦊' %}[{{ c }}]{% endfor %}", "for dict": "{% for k in nested %}{{ k }} {% endfor %}",
    "for items": "{% for k, v in people[0].items() %}{{ k }}={{ v }};{% endfor %}", "for unpack": "{% for a, b in pairs %}{{ a }}{{ b }}{% endfor %}",
    "for unpack nested": "{% for i, (a, b) in [[1, [2, 3]]] %}{{ i }}{{ a }}{{ b }}{% endfor %}",
    "for unpack short": "{% for a, b, c in pairs %}x{% endfor %}", "for unpack long": "{% for a, b in [[1,2,3]] %}x{% endfor %}",
    "for filter": "{% for n in range(10) if n is odd %}{{ loop.index }}/{{ loop.length }}:{{ n }} {% endfor %}",
    "for filter else": "{% for n in range(3) if n > 5 %}x{% else %}none{% endfor %}",
    "for conditional": "{% for n in (numbers if yes else []) %}{{ n }}{% endfor %}",
    "loop": "{% for n in numbers %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.depth }}{{ loop.depth0 }}\n{% endfor %}",
    "loop changed": "{% for n in [1, 1, 2, 2, 1] %}{{ loop.changed(n) }} {% endfor %}", "loop previtem": "{% for n in numbers %}{{ loop.previtem is defined }}{{ loop.previtem.x }}{% endfor %}",
    "loop outside": "{% for n in [1] %}{% endfor %}{{ loop is defined }}", "loop after": "{% for n in [1] %}{% endfor %}{{ n is defined }}",
    "loop nested": "{% for a in [1, 2] %}{% set outer = loop %}{% for b in [3, 4] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "recursive": "{% for x in [{'n': 1, 'c': [{'n': 2, 'c': []}, {'n': 3}]}] recursive %}{{ x.n }}@{{ loop.depth }}{% if x.c %}({{ loop(x.c) }}){% endif %}{% endfor %}",
    "not recursive": "{% for x in [1] %}{{ loop([2]) }}{% endfor %}",
    "break": "{% for n in range(9) %}{% if n == 3 %}{% break %}{% endif %}{{ n }}{% endfor %}!", "continue": "{% for n in range(5) %}{% if n is odd %}{% continue %}{% endif %}{{ n }}{% endfor %}",
    "break outside": "{% break %}", "break in macro": "{% for i in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "break in with": "{% for n in range(5) %}{% with x = n %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endwith %}{% endfor %}",
    "set": "{% set x = 5 %}{{ x }}{% set x = x + 1 %}{{ x }}", "set tuple": "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "set several": "{% set a = 1, 2 %}{{ a }}",
    "set in loop": "{% set x = 0 %}{% for n in numbers %}{% set x = x + n %}{{ x }} {% endfor %}{{ x }}", "set in if": "{% if yes %}{% set x = 1 %}{% endif %}{{ x }}",
    "set block": "{% set x %}a{{ seven }}b{% endset %}[{{ x }}]", "set block filter": "{% set x | upper | replace('A', '-') %}abc{% endset %}{{ x }}",
    "set block escape": "{% set x %}<{% endset %}{{ x ~ '<' }}{{ x + '<' }}", "set attribute": "{% set nested.y = 1 %}", "set constant": "{% set true = 1 %}",
    "namespace": "{% set ns = namespace(n=0, s='') %}{% for n in numbers %}{% set ns.n = ns.n + n %}{% set ns.s = ns.s ~ n %}{% endfor %}{{ ns.n }} {{ ns.s }} {{ ns['n'] }} {{ ns.q is defined }}",
    "namespace print": "{% set ns = namespace(a=1, b='x') %}{{ ns }}", "namespace cycle": "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me.me is defined }}",
    "namespace block": "{% set ns = namespace() %}{% set ns.x %}hi{% endset %}{{ ns.x }}",
    "with": "{% set x = 1 %}{% with x = 2, y = x %}{{ x }}{{ y }}{% set z = 3 %}{% endwith %}{{ x }}{{ y is defined }}{{ z is defined }}", "with none": "{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}",
    "macro": "{% macro m(a, b='d', c=a) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(1, c=3) }}{{ m(b=5) }}{{ m(1, 2, 3) }}",
    "macro too many": "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "macro unknown": "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "macro twice": "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}",
    "macro varargs": "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}", "macro missing": "{% macro m(a) %}[{{ a }}]{{ a is defined }}{% endmacro %}{{ m() }}",
    "macro scope": "{% set x = 1 %}{% macro m() %}{{ x }}{% set x = 9 %}{% endmacro %}{{ m() }}{% set x = 2 %}{{ m() }}{{ x }}", "macro recursion": "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "macro attributes": "{% macro m(a, b=1) %}{{ caller }}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.caller }}{{ m.catch_kwargs }}", "macro text": "{% macro m() %}<a>{% endmacro %}{{ m() + '<' }}{{ m()|length }}{{ m() is string }}",
    "macro before": "{{ m() }}{% macro m() %}{% endmacro %}", "macro loop": "{% for i in [1,2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "macro in macro": "{% macro a() %}{% macro b() %}x{% endmacro %}{{ b() }}{{ b() }}{% endmacro %}{{ a() }}",
    "macro default order": "{% macro m(a=1, b) %}{% endmacro %}", "macro loop variable": "{% macro m() %}{{ loop is defined }}{% endmacro %}{% for i in [1] %}{{ m() }}{% endfor %}",
    "macro sees loop set": "{% macro m() %}{{ q }}{% endmacro %}{% for i in [1] %}{% set q = 5 %}{{ m() }}{% endfor %}|", "macro unpack": "{% macro m(a, b, c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(*[1, 2], **{'c': 3}) }}",
    "call": "{% macro m(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call m('x') %}body{{ seven }}{% endcall %}", "call arguments": "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=3) m() %}{{ a }}-{{ b }}{% endcall %}",
    "call unused": "{% macro m() %}{% endmacro %}{% call m() %}x{% endcall %}", "caller missing": "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "caller optional": "{% macro m(caller=none) %}{{ caller is none }}{% endmacro %}{{ m() }}",
    "call not a call": "{% call m %}{% endcall %}", "filter block": "{% filter upper %}abc{{ name }}{% endfilter %}", "filter chain": "{% filter upper | replace('A', 'x') %}abc{% endfilter %}", "filter unknown": "{% filter nosuch %}{% endfilter %}",
    "unknown filter under if": "{% if no %}{{ 1|nosuch }}{% endif %}ok", "unknown filter reached": "{% if yes %}{{ 1|nosuch }}{% endif %}", "unknown test in branch": "{{ 1 if yes else (1 is nosuch) }}",
    "block": "a{% block x %}b{{ seven }}{% endblock %}c", "block twice": "{% block x %}{% endblock %}{% block x %}{% endblock x %}", "block in loop": "{% for i in [1] %}{% block x %}{{ i is defined }}{% endblock x %}{% endfor %}",
    "print": "{% print 1 + 1 %}", "generation": "a{% generation %}b{% endgeneration %}c", "include": "{% include 'x' %}", "import": "{% import 'x' as y %}", "extends": "{% extends 'x' %}", "unknown tag": "{% foo %}",
    "raw": "{% raw %}{{ x }}{% if %}{% endraw %}!", "raw trim": "a {%- raw -%} {{ x }} {%- endraw -%} b", "raw newline": "{% raw %}\n a\n{% endraw %}\nb", "comment": "a{# b #}c", "comment trim": "a {#- b -#} c", "comment lines": "a\n  {# b\n c #}\nd", "comment open": "a{# b",
    "trim blocks": "a\n{% if yes %}\nb\n{% endif %}\nc\n", "lstrip blocks": "a\n    {% if yes %}\n  b\n    {% endif %}\n  c", "lstrip not": "a\n  x {% if yes %}b{% endif %}", "lstrip plus": "a\n  {%+ if yes %}b{% endif %}", "trim plus": "{% if yes +%}\nb{% endif %}",
    "variable trim": "a  {{- seven -}}  b", "variable line": "a\n  {{ seven }}\nb", "statement trim": "a  {%- if yes -%}  b  {%- endif -%}  c", "trim across": "a\n\n  {{- 1 }}\n\n  {%- if yes %}\n\nb{% endif %}", "lstrip first": "   {% if yes %}x{% endif %}",
    "lstrip after variable": "{{ seven }}  {% if yes %}x{% endif %}", "lstrip after block": "{% if yes %}  {% endif %}x", "trailing newline": "a\n", "trailing newlines": "a\n\n", "crlf": "a\r\n{% if yes %}\r\nb\r\n{% endif %}\r\nc\r\n",
    "minus number": "{{ 1 -1 }}{{ 1-1 }}", "braces": "{{ {'a': {'b': 1}}['a']['b'] }}", "brace text": "} { }} %} {", "empty": "", "only text": "hello", "open": "{{ 1", "open block": "{% if 1", "open if": "{% if 1 %}", "extra end": "{% endif %}", "wrong end": "{% if 1 %}{% endfor %}", "mismatch": "{{ (1] }}",
    "strings across lines": "{{ 'a\nb' }}", "escapes": r"{{ 'a\nb\\n\'' }}{{ \"x\" }}", "block text": r"{{ '\x41\101\u0041' }}", "line continuation": "{{ 'a\\\nb' }}", "bad escape": r"{{ '\x4' }}", "colon": "{% if yes: %}x{% endif %}", "semicolon": "{{ 1; }}",
    "many": "{% for m in people %}{{ '<|' ~ m['name'] ~ '|>' }}{% for t in m.tags|default([]) %}{{ t|upper }}{% endfor %}\n{% endfor %}",
    "cycler": "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{% set _ = c.reset() %}{{ c.current }}", "joiner": "{% set j = joiner('|') %}{% for n in numbers %}{{ j() }}{{ n }}{% endfor %}",
    "generator once": "{% set g = numbers|select %}{{ g|list }}{{ g|list }}", "generator true": "{% if numbers|select('greaterthan', 99) %}yes{% endif %}", "shadowed filter name": "{% set upper = 1 %}{{ 'a'|upper }}{{ upper }}", "shadowed global": "{% set range = 5 %}{{ range }}",
    "underscore": "{{ name.__class__ }}|{{ nested._x is defined }}", "class escape": "{{ ''.__class__.__mro__ }}", "format escape": "{{ '{0.__class__}'.format(1) }}", "late error": "text{{ 1 / 0 }}", "none attribute chain": "{{ nothing.a.b }}", "deep data": "{{ nested.a.b[1]['c'][0] }}",
    "python true": "{{ True }}{{ False }}{{ None }}", "literal in text": "<|im_start|>{{ '<|im_end|>' }}", "dict loop set": "{% set d = {} %}{% for n in numbers %}{% set d = dict(d, **{n|string: n}) %}{% endfor %}{{ d }}", "dict merge": "{% set d = dict({'a': 1}, **{'b': 2}) %}{{ d }}",
    "call result": "{{ ['a', 'b'].index('b') }}", "inline macro default": "{% macro m(x={'a': [1]}) %}{{ x.a[0] }}{% endmacro %}{{ m() }}", "recursion without end": "{% macro m() %}{{ m() }}{% endmacro %}{{ 'ok' }}", "whitespace only": "  \n  ", "unicode name": "{% set é = 1 %}{{ é }}", "nbsp": "a\u00a0{%- if yes %}b{% endif %}",
}

# Conversations


def user(text): return {"role": "user", "content": text}
def assistant(text, **more): return {"role": "assistant", "content": text, **more}
def system(text): return {"role": "system", "content": text}


def call(name, arguments, id="call_abc123", **more): return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "The weather, \"now\" or later.", "parameters": {
            "type": "object", "properties": {
                "city": {"type": "string", "description": "The city's name"}, "unit": {"type": "string", "enum": ["c", "f"]},
                "days": {"type": "integer", "default": 1}, "where": {"type": "object", "properties": {"lat": {"type": "number"}}},
                "tags": {"type": "array", "items": {"type": "string"}}, "any": {"type": ["string", "null"]}},
            "required": ["city"]}}},
    {"type": "function", "function": {"name": "now", "description": "The time", "parameters": {"type": "object", "properties": {}}}},
]
SIMPLE = [{"type": "function", "function": {
    "name": "add", "description": "Adds.", "parameters": {
        "type": "object", "properties": {"a": {"type": "number", "description": "one"}, "b": {"type": "string", "description": "other"}},
        "required": ["a", "b"]}}}]
QUESTION = [user("What's the weather in Paris?")]
CALLED = QUESTION + [assistant("", tool_calls=[call("get_weather", {"city": "Paris", "days": 2, "where": {"lat": 48.8}, "tags": ["é", "<x>"]})])]
ANSWERED = CALLED + [{"role": "tool", "content": "{\"temperature\": 21.5}", "tool_call_id": "call_abc123", "name": "get_weather"}]
TWO = QUESTION + [
    assistant(None, tool_calls=[call("get_weather", {"city": "Paris"}, "abcdefgh1"), call("now", {}, "abcdefgh2")]),
    {"role": "tool", "content": "21", "tool_call_id": "abcdefgh1", "name": "get_weather"},
    {"role": "tool", "content": "noon", "tool_call_id": "abcdefgh2", "name": "now"}, assistant("It is 21° at noon."), user("Thanks!")]

CONVERSATIONS = {
    "one turn": {"messages": [user("Hello")]},
    "no prompt": {"messages": [user("Hello")], "add_generation_prompt": False},
    "system": {"messages": [system("  Be brief.  "), user("Hi\n\nthere ")]},
    "several turns": {"messages": [user(" Hi "), assistant(" Hello!\n"), user("More"), assistant("Sure."), user("<|im_end|>{{ x }} 'q' \"r\"")]},
    "system and turns": {"messages": [system("S"), user("a"), assistant("b"), user("c")]},
    "ends with assistant": {"messages": [user("a"), assistant("b")], "add_generation_prompt": False},
    "two users": {"messages": [user("a"), user("b")]},
    "developer": {"messages": [{"role": "developer", "content": "D"}, user("a")]},
    "only system": {"messages": [system("S")]},
    "no messages": {"messages": []},
    "unknown role": {"messages": [{"role": "critic", "content": "x"}]},
    "parts": {"messages": [user([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}])]},
    "system parts": {"messages": [{"role": "system", "content": [{"type": "text", "text": "S"}]}, user("a")]},
    "no content": {"messages": [user("a"), assistant(None), user("b")]},
    "tools": {"messages": QUESTION, "tools": TOOLS},
    "tools and system": {"messages": [system("S")] + QUESTION, "tools": TOOLS},
    "simple tools": {"messages": [system("S")] + QUESTION, "tools": SIMPLE},
    "functions": {"messages": QUESTION, "functions": json.dumps(SIMPLE), "datetime": "2026-03-09"},
    "no tools": {"messages": QUESTION, "tools": []},
    "tool call": {"messages": CALLED, "tools": TOOLS, "add_generation_prompt": False},
    "tool result": {"messages": ANSWERED, "tools": TOOLS},
    "tool result without tools": {"messages": ANSWERED},
    "two tool calls": {"messages": TWO, "tools": TOOLS},
    "arguments as text": {"messages": QUESTION + [assistant("Let me see.", tool_calls=[call("get_weather", "{\"city\": \"Paris\"}")])] + ANSWERED[2:], "tools": TOOLS},
    "thinking": {"messages": [user("a"), assistant("<think>\nhm\n</think>\n\nb"), user("c")]},
    "reasoning": {"messages": [user("a"), assistant("b", reasoning_content="hm"), user("c"), assistant("d", reasoning_content="so")], "add_generation_prompt": False},
    "thinking on": {"messages": [user("a")], "enable_thinking": True, "thinking": True, "reasoning_effort": "high"},
    "thinking off": {"messages": [system("S"), user("a")], "enable_thinking": False, "thinking": False, "reasoning_effort": "low"},
    "reasoning and tools": {"messages": CALLED[:1] + [dict(CALLED[1], reasoning_content="I need the weather.")] + ANSWERED[2:], "tools": TOOLS, "enable_thinking": True},
    "unicode": {"messages": [user("日本語 🦊 naïve\u2028x"), assistant("é"), user("\t\u00a0x")]},
}


def cases(folder):
    for line in EXPRESSIONS.strip().split("\n"):
        for expression in line.split("|||"):
            yield case(f"expression {expression}", "{{ " + expression + " }}", CONTEXT, template="{{ " + expression + " }}")
    for name, template in TEMPLATES.items():
        yield case(name, template, CONTEXT, template=template)
    files = sorted(folder.glob("*.jinja"))
    assert len(files) > 60, f"{folder} holds {len(files)} templates"
    for file in files:
        for name, inputs in CONVERSATIONS.items():
            context = {"tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"} | inputs
            yield case(f"{file.name}: {name}", file.read_text(), context, file=file.name)


if __name__ == "__main__":
    folder, out = sys.argv[1:]
    Path(out).write_text(json.dumps({"now": int(NOW.timestamp()), "context": CONTEXT, "cases": [
        {k: v for k, v in case.items() if not (k == "context" and v is CONTEXT)} for case in cases(Path(folder))]}))
