package script

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"heddle/component"
	"heddle/domain/refusal"
)

func runScript(t *testing.T, source string, args ...any) (any, error) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	return Run(t.Context(), component.ScriptCall{Source: source, Args: args}, DefaultLimits)
}

func TestScriptResult(t *testing.T) {
	bytes := []byte{0, 255, 16}
	for name, c := range map[string]struct {
		source string
		args   []any
		want   any
	}{
		"module": {"module.exports = async (a) => ({ data: a.n + 1 });",
			[]any{map[string]any{"n": 1.0}}, map[string]any{"data": 2.0}},
		"module of lines": {"const add = 2;\nmodule.exports = function (n) { return n + add; };\n", []any{3.0},
			5.0},
		"folded to one line": {"module.exports = async ({ crossFlowState }) => ({ data:\ncrossFlowState })",
			[]any{map[string]any{"crossFlowState": map[string]any{"a": "b"}}},
			map[string]any{"data": map[string]any{"a": "b"}}},
		"exports default":        {"'use strict'; exports.default = (n) => n * 2;", []any{4.0}, 8.0},
		"expression":             {"(item, index) => item.id + index", []any{map[string]any{"id": 1.0}, 2.0}, 3.0},
		"function":               {"function (x) { return x; }", []any{"x"}, "x"},
		"comment at the end":     {"(x) => x // the same", []any{1.0}, 1.0},
		"awaits":                 {"async () => { const a = await Promise.resolve(1); const b = await new Promise((done) => setTimeout(() => done(2), 5)); return a + b; }", nil, 3.0},
		"a semicolon at the end": {"async (context) => { return 1; };\n", nil, 1.0},
		"an interval":            {"() => new Promise((done) => { let n = 0; const t = setInterval((by) => { if ((n += by) === 6) { clearInterval(t); setImmediate(done, n); } }, 1, 2); })", nil, 6.0},
		"words in order":         {"() => ['b', 'a', 'C', 'A', 'ä', 'z', 'item 10', 'item 9', 'résumé', 'resume'].sort((a, b) => a.localeCompare(b)).join()", nil, "a,A,ä,b,C,item 10,item 9,resume,résumé,z"},
		"words in an order": {"() => ['a'.localeCompare('A', 'en', { sensitivity: 'base' }), 'ä'.localeCompare('a', undefined, { sensitivity: 'base' }), 'ä'.localeCompare('a', 'de', { sensitivity: 'accent' }), '9'.localeCompare('10', [], { numeric: true }), 'ä'.localeCompare('z', 'sv'), 'a'.localeCompare('b', 'no such')]",
			nil, []any{0.0, 0.0, 1.0, -1.0, 1.0, -1.0}},
		"undefined": {"() => {}", nil, nil},
		"left out": {"() => ({ a: undefined, b() {}, c: [undefined, NaN, Infinity], d: null })", nil,
			map[string]any{"c": []any{nil, nil, nil}, "d": nil}},
		"bytes both ways": {"(b) => ({ ok: b instanceof Uint8Array, b, buffer: b.buffer, part: new Uint8Array(b.buffer, 1, 1) })", []any{bytes}, map[string]any{"ok": true, "b": bytes, "buffer": bytes, "part": bytes[1:2]}},
		"date":            {"() => new Date(0)", nil, "1970-01-01T00:00:00.000Z"},
		"bad date":        {"() => new Date(NaN)", nil, nil},
		"small BigInt":    {"() => 12n", nil, 12.0},
		"map and set": {"() => [new Map([['a', 1]]), new Set([1, 2])]", nil,
			[]any{map[string]any{"a": 1.0}, []any{1.0, 2.0}}},
		"error as a value": {"() => new TypeError('no')", nil, map[string]any{"name": "TypeError", "message": "no"}},
		"toJSON":           {"() => ({ toJSON: () => 5 })", nil, 5.0},
		"the same twice": {"() => { const o = { a: 1 }; return [o, o]; }", nil,
			[]any{map[string]any{"a": 1.0}, map[string]any{"a": 1.0}}},
		"key $bytes": {"(o) => [o, { $object: 1 }]", []any{map[string]any{"$bytes": "x"}},
			[]any{map[string]any{"$bytes": "x"}, map[string]any{"$object": 1.0}}},
		"key __proto__":  {"() => JSON.parse('{\"__proto__\": 1}')", nil, map[string]any{"__proto__": 1.0}},
		"lone surrogate": {"() => '\\ud800'", nil, "\uFFFD"},
		"NUL and emoji":  {"(s) => s + '\\u0000' + s.length", []any{"😀"}, "😀\x002"},
		"a changed JSON": {"() => { JSON.stringify = null; Array.isArray = null; Object.entries = null; return [{ a: 1 }]; }", nil, []any{map[string]any{"a": 1.0}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := runScript(t, c.source, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScriptErrors(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"thrown": {"module.exports = () => {\n  throw new Error('no such customer');\n};",
			"no such customer (line 2)"},
		"thrown when async": {"module.exports = async () => {\n\n  null.x;\n};",
			"TypeError: cannot read property 'x' of null (line 3)"},
		"in an expression": {"(x) =>\n  x.y.z", "TypeError: cannot read property 'y' of undefined (line 2)"},
		"text":             {"() => { throw 'just text'; }", "just text"},
		"object":           {"() => { throw { code: 5 }; }", `{"code":5}`},
		"null": {"() => { throw null; }",
			"the code threw null, which can also mean that it needs more memory than 64 MiB (HEDDLE_SCRIPT_MEMORY)"},
		"rejected later": {"() => new Promise((_, no) => setTimeout(() => no(new RangeError('late')), 1))",
			"RangeError: late (line 1)"},
		"thrown in a timer": {"() => new Promise(() => setTimeout(() => { throw new Error('in a timer'); }, 1))",
			"in a timer (line 1)"},
		"syntax": {"module.exports = () => {\n  return 1 +;\n};",
			"SyntaxError: unexpected token in expression: ';' (line 2)"},
		"ES module": {"export default () => 1", "SyntaxError: unsupported keyword: export (line 1)"},
		"no function": {"module.exports = 5;",
			"TypeError: the code must assign a function to module.exports or be a function"},
		"empty": {"", "TypeError: the code must assign a function to module.exports or be a function"},
		"while loading": {"const x = missing;\nmodule.exports = () => 1;",
			"ReferenceError: 'missing' is not defined (line 1)"},
		"cycle": {"() => { const a = { b: [{}] }; a.b[0].c = a; return a; }",
			"TypeError: result.b[0].c contains itself"},
		"deep": {"() => { let a = {}; for (let i = 0; i < 600; i++) a = { a }; return a; }",
			"TypeError: the value is nested deeper than 500 levels"},
		"large BigInt": {"() => ({ n: 2n ** 64n })",
			"TypeError: result.n is a BigInt that no number can hold; return it as text"},
		"not awaited": {"() => ({ data: Promise.resolve(1) })", "TypeError: result.data is a promise: await it"},
		"never settled": {"() => new Promise(() => {})",
			"the code waits for a promise that nothing is left to settle"},
		"fetch": {"async () => {\n  await fetch(\"http://example.com\");\n}",
			"TypeError: fetch failed: this code may not make requests (line 2)"},
		"require": {"const fs = require('fs');\nmodule.exports = () => fs;",
			`require("fs") is not available: of modules there are buffer, crypto, url (line 1)`},
		"import": {"async () => (await import('fs')).default", "ReferenceError: could not load module 'fs'"},
		"toJSON of all": {"() => { Object.prototype.toJSON = () => 'x'; return [1]; }",
			"the code changed how objects are written, such as by toJSON of Object.prototype; its result can't be read"},
		"forged result":     {"() => { const bare = (o) => Object.assign(Object.create(null), o); Object.prototype.toJSON = () => bare({ Value: bare({ $bytes: 5 }) }); return [1]; }", "the code changed how objects are written, such as by toJSON of Object.prototype; its result can't be read"},
		"set of elements":   {"() => { Object.defineProperty(Array.prototype, 0, { set(v) { throw new Error('mine'); } }); return [1]; }", "mine (line 1)"},
		"a throw in errors": {"() => { Object.defineProperty(Array.prototype, 0, { set(v) { throw 4; } }); throw new Error('own'); }", "the code threw what has no message"},
		"host out of reach": {"() => heddle_log('info', 'x')", "ReferenceError: 'heddle_log' is not defined (line 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := runScript(t, c.source)
			if err == nil {
				t.Fatalf("got %v, want an error", got)
			}
			if err.Error() != c.want || refusal.CodeOf(err) != refusal.Invalid {
				t.Errorf("got  %v (%s)\nwant %s", err, refusal.CodeOf(err), c.want)
			}
		})
	}
}

func TestScriptRefusesArguments(t *testing.T) {
	if _, err := runScript(t, "() => 1", math.NaN()); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestScriptContext(t *testing.T) {
	var lines []string
	got, err := Run(t.Context(), component.ScriptCall{
		Source: `module.exports = async (context, stepResults) => {
			context.logger.info("hello", { a: [1] });
			context.logger.metric("m");
			console.dir({ a: 1 });
			console.group("g"); console.groupEnd(); console.time("t"); console.timeEnd("t"); console.assert(true); console.count();
			console.warn("careful");
			context.flowState.count++;
			delete context.flowState.old;
			context.otherState = { fresh: true };
			context.executionId = "changed";
			return { data: stepResults.first.results };
		}`,
		Args: []any{
			map[string]any{"flowState": map[string]any{"count": 1.0, "old": 2.0}, "otherState": map[string]any{},
				"executionId": "e"},
			map[string]any{"first": map[string]any{"results": "r"}},
		},
		Context: []string{"flowState", "otherState"},
		Log:     func(level, message string) { lines = append(lines, level+": "+message) },
	}, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"value": map[string]any{"data": "r"},
		"context": map[string]any{"flowState": map[string]any{"count": 2.0},
			"otherState": map[string]any{"fresh": true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`info: hello {"a":[1]}`, "metric: m", `info: {"a":1}`, "info: g", "warn: careful"},
		lines); diff != "" {
		t.Error(diff)
	}
}

func TestScriptLogLimits(t *testing.T) {
	limits := DefaultLimits
	limits.LogLine, limits.LogLines = 5, 2
	var lines []string
	_, err := Run(t.Context(), component.ScriptCall{
		Source: "() => { for (let i = 0; i < 10; i++) console.log('0123456789'); const c = {}; c.c = c; console.log(c); }",
		Log:    func(level, message string) { lines = append(lines, level+": "+message) },
	}, limits)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"info: 0123…", "info: 0123…",
		"warn: 9 more log lines were dropped; the limit for one call is 2"}, lines); diff != "" {
		t.Error(diff)
	}
}

func TestScriptOutputLimit(t *testing.T) {
	limits := DefaultLimits
	limits.Output = 1000
	_, err := Run(t.Context(), component.ScriptCall{Source: "() => 'x'.repeat(1000)"}, limits)
	if err == nil || !strings.Contains(err.Error(), "the limit is 1000 (HEDDLE_SCRIPT_OUTPUT)") {
		t.Errorf("got %v", err)
	}
}

func TestScriptCancel(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	gone := errors.New("the run was cancelled")
	for name, source := range map[string]string{
		"computing": "() => { for (;;); }",
		"promises":  "async () => { for (;;) await 1; }",
		"sleeping":  "() => new Promise((done) => setTimeout(done, 1e6))",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
			started := time.Now()
			_, err := Run(ctx, component.ScriptCall{Source: source}, DefaultLimits)
			if !errors.Is(err, gone) || time.Since(started) > 2*time.Second {
				t.Errorf("got %v after %v", err, time.Since(started))
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := Run(ctx, component.ScriptCall{Source: "() => 1"}, DefaultLimits); !errors.Is(err, gone) {
		t.Errorf("before the start: got %v", err)
	}
}

func TestScriptsAreApart(t *testing.T) {
	if _, err := runScript(t, "() => { globalThis.left = 1; Array.prototype.map = null; }"); err != nil {
		t.Fatal(err)
	}
	got, err := runScript(t, "() => [typeof globalThis.left, typeof [].map]")
	if diff := cmp.Diff([]any{"undefined", "function"}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func BenchmarkScript(b *testing.B) {
	call := component.ScriptCall{Source: "module.exports = async (a) => ({ data: a.n + 1 });",
		Args: []any{map[string]any{"n": 1.0}}}
	for b.Loop() {
		if _, err := Run(b.Context(), call, DefaultLimits); err != nil {
			b.Fatal(err)
		}
	}
}
