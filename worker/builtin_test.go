package worker

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/component/builtin"
)

// scripted is one use of an action, and what comes of it or is a part of the error.
type scripted struct {
	key, action string
	inputs      map[string]any
	want        any
	refusal     string
}

func liquid(template string, data any, want string) scripted {
	return scripted{"liquid-template", "transform", map[string]any{"liquidTemplate": template, "data": data}, want, ""}
}

func calculate(expression string, want any) scripted {
	return scripted{"math", "evaluate", map[string]any{"expression": expression}, want, ""}
}

// The components that hand functions to the script engine, with the engine.
func TestComponentsWithScripts(t *testing.T) {
	registry := component.New(builtin.Components()...)
	perform := func(key, name string, inputs map[string]any) (any, error) {
		action, err := registry.Lookup(key, name)
		if err != nil {
			t.Fatal(err)
		}
		result, err := action.Perform(t.Context(), &flowRun{t: t}, inputs)
		return result.Data, err
	}
	list := []any{map[string]any{"n": 3.0}, map[string]any{"n": 1.0}, map[string]any{"n": 2.0}}
	for name, c := range map[string]scripted{
		"filter": {"collection-tools", "filter",
			map[string]any{"listInput": list, "filterCodeInput": "(item, index) => item.n > 1 && index < 2"},
			[]any{list[0]}, ""},
		"filter, async": {"collection-tools", "filter",
			map[string]any{"listInput": list, "filterCodeInput": "async ({ n }) => n === 2;"}, []any{list[2]}, ""},
		"filter, default": {"collection-tools", "filter", map[string]any{"listInput": []any{nil, 0.0},
			"filterCodeInput": ""}, []any{nil, 0.0}, ""},
		"map": {"collection-tools", "map",
			map[string]any{"listInput": list, "filterCodeInput": "(i) => i.n < 3",
				"transformCodeInput": "(item, index, context) => { item.n += context.add; item.i = index; return item }", "contextInput": map[string]any{"add": 1.0}}, []any{map[string]any{"n": 2.0, "i": 0.0}, map[string]any{"n": 3.0, "i": 1.0}}, ""},
		"map, function": {"collection-tools", "map", map[string]any{"listInput": []any{1.0, 2.0},
			"transformCodeInput": "function twice(x) { return x * 2; }"}, []any{2.0, 4.0}, ""},
		"sort": {"collection-tools", "sort",
			map[string]any{"listInput": list, "sortCodeInput": "(a, b) => a.n - b.n"}, []any{list[1], list[2], list[0]},
			""},
		"aggregate": {"collection-tools", "aggregate", map[string]any{"listInput": []any{1.0, 2.0, 3.0},
			"filterCodeInput": "(n) => n > 1", "aggregateFunctionInput": "SUM"}, 5.0, ""},
		"throws": {"collection-tools", "map",
			map[string]any{"listInput": list, "transformCodeInput": "(item) => {\n  return item.a.b;\n}"}, nil,
			"TypeError: cannot read property 'b' of undefined (line 2)"},
		"no function": {"collection-tools", "filter",
			map[string]any{"listInput": list, "filterCodeInput": "5"}, nil, "the code must be a function"},
		"no code": {"collection-tools", "filter",
			map[string]any{"listInput": list, "filterCodeInput": "(item =>"}, nil, "SyntaxError"},
		"match": {"text-manipulation", "match",
			map[string]any{"text": "a1b22", "regex": "[a-z](\\d)(x)?"}, []any{"a1", "1", nil}, ""},
		"match, all": {"text-manipulation", "match", map[string]any{"text": "a1b22", "regex": "\\d+",
			"regexFlags": "g"}, []any{"1", "22"}, ""},
		"match, nothing": {"text-manipulation", "match", map[string]any{"text": "abc", "regex": "\\d"}, nil, ""},
		"match, bad regex": {"text-manipulation", "match", map[string]any{"text": "abc", "regex": "("},
			nil, "SyntaxError"},
		"evaluate":             calculate("2 * 3 + 7", 13.0),
		"evaluate, in order":   calculate("5 + 3 * 4 ** 3\n", 197.0),
		"evaluate, bits":       calculate("5 << 2 | 1", 21.0),
		"evaluate, parts":      calculate("-(.5e1 - 0xF) % 4 + Math.max(1, Math.PI)", 2+math.Pi),
		"evaluate, no number":  calculate("0 / 0", nil),
		"evaluate, no value":   {"math", "evaluate", map[string]any{"expression": "1 < 2"}, nil, "gives no number"},
		"evaluate, unfinished": {"math", "evaluate", map[string]any{"expression": "(1 + "}, nil, "SyntaxError"},
		"evaluate, nothing":    {"math", "evaluate", map[string]any{"expression": ""}, nil, "Expression is required"},
		"evaluate, a name":     {"math", "evaluate", map[string]any{"expression": "1 + x"}, nil, "may hold numbers"},
		"evaluate, code": {"math", "evaluate", map[string]any{"expression": "Math.max.constructor(1)"}, nil,
			"may hold numbers"},
		"evaluate, text": {"math", "evaluate", map[string]any{"expression": `"1"`}, nil, "may hold numbers"},
		"liquid": liquid(`{{ a.b[0] | upcase }}{% assign x = "y" %}{{x}} {{ missing }}{{ data | json }}`,
			map[string]any{"a": map[string]any{"b": []any{"é"}}}, `Éy {"a":{"b":["é"]}}`),
		"liquid, open braces": liquid("{{ a }}{ b } {%if a%}{{- a -}} {%endif%} {{", map[string]any{"a": "x"},
			"x{ b } x {{"),
		"liquid, many braces": liquid(strings.Repeat("{{ {% ", 20_000), nil, strings.Repeat("{{ {% ", 20_000)),
		"liquid, strip html":  liquid(`{{ data | strip_html }}`, "a<b<c>d<e", "ad<e"),
		"liquid, many tags":   liquid(`{{ data | strip_html | size }}`, strings.Repeat("<", 100_000), "100000"),
		"liquid, groups":      liquid(`{% assign g = list | group_by: "k" %}{% for x in g %}{{ x.name }}{{ x.items | size }} {% endfor %}`, map[string]any{"list": []any{map[string]any{"k": "a"}, map[string]any{"k": "b"}, map[string]any{"k": "a"}}}, "a2 b1 "),
		"liquid, for":         liquid(`{% for r in scope | split: ", " %}{{ forloop.index }}{{ r }}{% unless forloop.last %},{% endunless %}{% endfor %}`, map[string]any{"scope": "eu, us"}, "1eu,2us"),
		"liquid, for parts":   liquid(`{% for i in (1..9) reversed limit: 4 offset: 1 %}{% if i == 4 %}{% continue %}{% endif %}{{ i }}{% if i < 4 %}{% break %}{% endif %}{% else %}none{% endfor %}{% for x in list %}{% else %}none{% endfor %}`, map[string]any{"list": []any{}}, "53none"),
		"liquid, if":          liquid(`{% if a > 1 and b contains "x" %}1{% elsif c %}2{% else %}3{% endif %}{% case k %}{% when "p", "q" %}pq{% else %}other{% endcase %}`, map[string]any{"a": 2.0, "b": []any{"x"}, "k": "q"}, "1pq"),
		"liquid, trim":        liquid("a {%- comment %} {{ x }} {% endcomment -%} b {{- ' c' }}{% raw %}{{ x }}{% endraw %}{% capture z %}{{ 7 | divided_by: 2 }}{% endcapture %}{{ z | plus: 1 }}", nil, "ab c{{ x }}4"),
		"liquid, replace":     liquid(`{{ c | replace: '#', '' | default: "none" }}{{ n | default: "none" | append: "!" }}`, map[string]any{"c": "#team$&"}, "team$&none!"),
		"liquid, prototype": liquid(`{{ constructor }}{{ a.constructor.name }}{{ a.size }}{{ s.size }}`,
			map[string]any{"a": map[string]any{"x": 1.0}, "s": "abc"}, "13"),
		"liquid, list": liquid(`{{ data.first }}{% for x in data %}{{ x }}{% endfor %}`, []any{"a", 1.0}, "aa1"),
		"liquid, date": liquid(`{{ d | date: "%b %-d, %Y %H:%M" }}|{{ d | date: '%F %T %j %^a %l%P %Q' }}|{{ 86399 | date: "%s %L %e" }}|{{ "soon" | date: "%Y" }}|{{ d | date }}|{{ none | date: "%Y" }}`,
			map[string]any{"d": "2020-02-05T15:04:05+02:00"},
			"Feb 5, 2020 13:04|2020-02-05 13:04:05 036 WED  1pm %Q|86399 000  1|soon|Wednesday, February 5, 2020 at 1:04 pm +0000|"),
		"liquid, lists": liquid(`{{ l | sum: "n" }}{{ l | sort_natural: "k" | map: "k" | join }}{% assign g = l | group_by: "odd" %}{% for x in g %}({{ x.name }} {{ x.items.size }}){% endfor %}{{ "&amp; <" | escape_once }}`,
			map[string]any{"l": []any{map[string]any{"n": 1.0, "k": "b", "odd": true},
				map[string]any{"n": "2", "k": "A", "odd": false}, map[string]any{"n": nil, "k": "c", "odd": true}}},
			"3A b c(true 2)(false 1)&amp; &lt;"),
		"liquid, counters": liquid(`{% for x in (1..3) %}{% cycle "a", "b" %}{% increment n %}{% decrement constructor %}{% endfor %}{% echo "x" | upcase %}`, nil, "a0-1b1-2a2-3X"),
		"liquid, tag": {"liquid-template", "transform", map[string]any{"liquidTemplate": "{% include 'x' %}"}, nil,
			"the tag include is not known"},
		"liquid, filter": {"liquid-template", "transform", map[string]any{"liquidTemplate": "{{ a | toString }}"}, nil,
			"the filter toString is not known"},
		"liquid, open": {"liquid-template", "transform", map[string]any{"liquidTemplate": "{% if a %}"}, nil,
			"the tag endif is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := perform(c.key, c.action, c.inputs)
			if c.refusal != "" {
				if err == nil || !strings.Contains(err.Error(), c.refusal) {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}
