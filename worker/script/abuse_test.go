package script

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"heddle/component"
)

// abuse are programs that try to take more than their share. Each must end in an error that names
// the limit, or says what stopped it, within the time and memory allowed. Where two limits are near
// each other, a busy machine decides which one is met first.
var abuse = map[string]struct{ source, want string }{
	"endless loop":  {"() => { for (;;); }", "HEDDLE_SCRIPT_TIME"},
	"string repeat": {"() => 'x'.repeat(2 ** 29).length", "HEDDLE_SCRIPT_MEMORY"},
	"growing arrays": {"() => { const a = []; for (;;) a.push(new Array(1000).fill(a.length)); }",
		"HEDDLE_SCRIPT_"},
	"string doubling":    {"() => { let s = 'x'; for (;;) s += s; }", "string too long"},
	"backtracking regex": {"() => /(a+)+$/.test('a'.repeat(40) + 'b')", "HEDDLE_SCRIPT_TIME"},
	"recursion":          {"() => { const f = () => f() + 1; return f(); }", "stack overflow|HEDDLE_SCRIPT_TIME"},
	"deep JSON":          {"() => { let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; return JSON.stringify(o).length; }", "stack overflow|HEDDLE_SCRIPT_TIME"},
	"huge fill":          {"() => new Array(1e9).fill(0).length", "HEDDLE_SCRIPT_"},
	"endless comparator": {"() => [3, 2, 1].sort(() => { for (;;); })", "HEDDLE_SCRIPT_TIME"},
	"promise chain": {"() => { const again = () => Promise.resolve().then(again); return again(); }",
		"HEDDLE_SCRIPT_TIME|HEDDLE_SCRIPT_MEMORY"},
	"2 GiB buffer": {"() => new ArrayBuffer(2 ** 31 - 1).byteLength", "HEDDLE_SCRIPT_MEMORY"},
	"reaching out": {"() => [].constructor.constructor('return process')().exit(1)", "'process' is not defined"},

	// More of our own: what the prelude adds must hold as well.
	"deep result": {"() => { let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; return o; }",
		"nested deeper than|HEDDLE_SCRIPT_TIME"},
	"endless getter": {"() => ({ get a() { for (;;); } })", "HEDDLE_SCRIPT_TIME"},
	"endless proxy":  {"() => new Proxy({}, { ownKeys() { for (;;); } })", "HEDDLE_SCRIPT_TIME"},
	"caught and again": {"() => { for (;;) { try { for (;;); } catch {} finally { for (;;); } } }",
		"HEDDLE_SCRIPT_TIME"},
	"caught memory": {"() => { const a = []; for (;;) { try { for (;;) a.push('x'.repeat(1e5) + a.length); } catch {} } }", "HEDDLE_SCRIPT_"},
	"endless timers": {"() => new Promise(() => { const again = () => setTimeout(again, 0); again(); })",
		"HEDDLE_SCRIPT_TIME"},
	"long timer":  {"() => new Promise((done) => setTimeout(done, 1e9))", "HEDDLE_SCRIPT_TIME"},
	"endless log": {"() => { for (;;) console.log('x'.repeat(1e4)); }", "HEDDLE_SCRIPT_TIME"},
	"rope into the log": {"() => { let s = 'x'; for (let i = 0; i < 29; i++) s += s; console.log(s); }",
		"HEDDLE_SCRIPT_MEMORY"},
	"rope as the result": {"() => { let s = 'x'; for (let i = 0; i < 29; i++) s += s; return s; }",
		"HEDDLE_SCRIPT_MEMORY"},
	"wide result": {"() => { const a = 'x'.repeat(1e6); return new Array(1e5).fill(a); }", "HEDDLE_SCRIPT_"},
	"toString of thrown": {"() => { throw { toString() { for (;;); }, toJSON() { for (;;); } }; }",
		"HEDDLE_SCRIPT_TIME"},
	"thenable": {"() => ({ then() { for (;;); } })", "HEDDLE_SCRIPT_TIME"},
	"deep source": {"() => " + strings.Repeat("[", 20000) + strings.Repeat("]", 20000),
		"stack overflow|HEDDLE_SCRIPT_TIME"},
	"random bytes":        {"() => crypto.getRandomValues(new Uint8Array(1e6))", "at most 65536 bytes"},
	"syntax that escapes": {"1); }); for (;;); (() => { (0", "HEDDLE_SCRIPT_TIME"},
}

func TestScriptAbuse(t *testing.T) {
	if raceDetector {
		t.Skip("says nothing about races, which TestScriptCancel is for, and the times are not those of real runs")
	}
	limits := DefaultLimits
	limits.Time = 500 * time.Millisecond
	for name, c := range abuse {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			started := time.Now()
			got, err := Run(t.Context(), component.ScriptCall{Source: c.source}, limits)
			took := time.Since(started)
			runtime.ReadMemStats(&after)
			wanted := func(want string) bool { return err != nil && strings.Contains(err.Error(), want) }
			if !slices.ContainsFunc(strings.Split(c.want, "|"), wanted) {
				t.Errorf("got %.60v and %v, want an error with %q", got, err, c.want)
			}
			t.Logf("%v, %d MiB of Go memory allocated", took.Round(time.Millisecond),
				(after.TotalAlloc-before.TotalAlloc)>>20)
			if took > 10*limits.Time {
				t.Errorf("took %v with a limit of %v", took, limits.Time)
			}
		})
	}
}

// endless is code that the engine does not let be interrupted, though it ends at last: a second or two.
const endless = "[].indexOf.call({length: 5e7}, 1)"

// A script that can't be stopped keeps nobody waiting, and is heard of no more.
func TestScriptGivenUp(t *testing.T) {
	if raceDetector {
		t.Skip("says nothing about races, and the times are not those of real runs")
	}
	limits := DefaultLimits
	limits.Grace = 50 * time.Millisecond
	var s Pool
	for name, want := range map[string]string{"its time": "HEDDLE_SCRIPT_TIME", "a cancel": context.Canceled.Error()} {
		ctx, cancel := context.WithCancel(t.Context())
		limits.Time = 300 * time.Millisecond
		if name == "a cancel" {
			limits.Time = time.Hour
		}
		var heard []string
		_, err := s.Run(ctx, component.ScriptCall{Source: "() => { console.log('began'); " + endless +
			"; console.log('late'); }", Log: func(_, line string) {
			heard = append(heard, line)
			if name == "a cancel" {
				cancel()
			}
		}}, limits)
		cancel()
		if !errors.Is(err, ErrGivenUp) || !strings.Contains(err.Error(), want) {
			t.Errorf("after %s: %v", name, err)
		}
		if s.Lost.Load() != 1 {
			t.Errorf("after %s %d are lost", name, s.Lost.Load())
		}
		for s.Lost.Load() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if strings.Join(heard, " ") != "began" {
			t.Errorf("after %s heard %q", name, heard)
		}
	}
}
