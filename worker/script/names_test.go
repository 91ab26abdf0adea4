package script

import (
	"strings"
	"testing"

	"heddle/domain/refusal"
)

// What a script finds by any name, or by the constructor of anything, is the engine's own: nothing of the process,
// its files, its network or its modules, and nothing of another script.
func TestScriptNames(t *testing.T) {
	for _, name := range strings.Fields(`process process.env process.exit process.binding process.mainModule child_process Deno Bun std os bjs
		scriptArgs print load loadScript loadFile read readFile write quit system ffi java Packages navigator document window
		self global parent top location importScripts Worker SharedWorker WebSocket XMLHttpRequest EventSource WebAssembly
		module.parent module.children module.paths module.constructor._load require.main require.cache require.resolve
		require.extensions __dirname __filename __proto__.process host hostNames limits golang Go syscall localStorage sessionStorage indexedDB`) {
		t.Run(name, func(t *testing.T) {
			parts := strings.Split(name, ".")
			for _, root := range []string{"", "globalThis.", "this.", `Function("return this")().`,
				"(0, eval)('this').",
				"({}).constructor.constructor('return this')().", "(async () => {}).constructor('return this')().",
				"Reflect.get(globalThis, 'globalThis')."} {
				walk := "root" // step by step: what is missing on the way is missing
				for i, part := range parts {
					if i > 0 || root != "" {
						walk += "?.[" + `"` + part + `"` + "]"
					}
				}
				begin := "(typeof " + parts[0] + " === 'undefined' ? undefined : " + parts[0] + ")"
				if root != "" {
					begin = strings.TrimSuffix(root, ".")
				}
				source := "(function () { let root; try { root = " + begin +
					"; } catch (e) { return 'undefined'; } return typeof (" + walk + "); })"
				if got, err := runScript(t, source); err != nil && refusal.CodeOf(err) != refusal.Invalid ||
					err == nil && got != "undefined" {
					t.Errorf("by %s it is %v, %v", begin, got, err)
				}
			}
		})
	}
}

// Whatever a script tries ends as its own error or in its own engine.
func TestScriptEscapes(t *testing.T) {
	const refused = "an error of the script"
	for name, c := range map[string]struct{ source, want string }{
		"a constructor's constructor": {"() => String((() => {}).constructor.constructor('return typeof process')())",
			"undefined"},
		"an async constructor": {"async () => String(await (async () => {}).constructor('return typeof process')())",
			"undefined"},
		"a generator's constructor": {"() => (function* () {}).constructor('yield typeof process')().next().value",
			"undefined"},
		"an async generator's": {"async () => (await (async function* () {}).constructor('yield typeof process')().next()).value", "undefined"},
		"a bound function's": {"() => (() => {}).bind().constructor('return typeof process')()",
			"undefined"},
		"a class's":              {"() => (class {}).constructor('return typeof process')()", "undefined"},
		"an error's":             {"() => { try { null.x } catch (e) { return e.constructor.constructor('return typeof process')(); } }", "undefined"},
		"of what the host gives": {"() => console.log.constructor('return typeof process')()", "undefined"},
		"of a timer":             {"() => setTimeout.constructor('return typeof process')()", "undefined"},
		"of require":             {"() => require.constructor('return typeof process')()", "undefined"},
		"of a Buffer":            {"() => Buffer.from.constructor('return typeof process')()", "undefined"},
		"of an argument":         {"() => typeof arguments.callee?.caller?.process", "undefined"},
		"the caller of a function": {"() => { function f() { return String(f.caller); } return f(); }",
			"undefined"},
		"a proxy": {"() => new Proxy({}, { get: (o, k) => typeof k }).process", "string"},
		"a tagged template": {"() => ((s) => s.constructor.constructor('return typeof process')())`x`",
			"undefined"},
		"a symbol's description": {"() => Symbol('x').constructor.constructor('return typeof process')()",
			"undefined"},
		"indirect eval":            {"() => (0, eval)('typeof process')", "undefined"},
		"direct eval":              {"() => eval('typeof host')", "undefined"},
		"import()":                 {"async () => { await import('std'); return 'loaded'; }", refused},
		"import() of a file":       {"async () => { await import('/etc/passwd'); return 'loaded'; }", refused},
		"import() in a function":   {"async () => Function('return import(\"os\")')()", refused},
		"an import statement":      {"import std from 'std'; module.exports = () => 1;", refused},
		"import.meta":              {"() => import.meta.url", refused},
		"require of fs":            {"() => require('fs')", refused},
		"require of child_process": {"() => require('child_process')", refused},
		"require of node:fs":       {"() => require('node:fs')", refused},
		"require of a path":        {"() => require('../../etc/passwd')", refused},
		"require of __proto__":     {"() => require('__proto__')", refused},
		"require of constructor":   {"() => require('constructor')", refused},
		"require of toString":      {"() => require('toString')", refused},
		"a polluted Object": {"() => { Object.prototype.polluted = 'x'; return JSON.stringify({}); }",
			"{}"},
		"a polluted __proto__":       {"() => { ({}).__proto__.admin = true; return 'x'; }", "x"},
		"a polluted constructor":     {"() => { ({}).constructor.prototype.then = undefined; return 'x'; }", "x"},
		"a parsed __proto__":         {`() => { Object.assign({}, JSON.parse('{"__proto__": {"admin": true}}')); return String(({}).admin); }`, "undefined"},
		"a setter of __proto__":      {"() => { Object.defineProperty(Object.prototype, '__proto__', { set() { throw 1; } }); return 'x'; }", "x"},
		"a thenable":                 {"() => ({ then: (done) => done('x') })", "x"},
		"a thenable that never ends": {"async () => { throw { then() {}, message: 'no' }; }", refused},
		"a frozen globalThis":        {"() => { Object.freeze(globalThis); return 'x'; }", "x"},
		"a thrown getter":            {"() => { throw { get message() { throw 1; } }; }", refused},
		"a thrown proxy":             {"() => { throw new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 1; } }); }", refused},
		"a thrown symbol":            {"() => { throw Symbol('x'); }", refused},
		"a result that throws":       {"() => ({ get a() { throw new Error('no'); } })", refused},
		"a result in a circle":       {"() => { const o = {}; o.o = o; return o; }", refused},
		"a result that is deep": {"() => { let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; return o; }",
			refused},
		"a stack that is prepared": {"() => { Error.prepareStackTrace = (e, s) => s; return typeof new Error('x').stack; }", "string"},
		"a stack without end":      {"() => { const f = () => f(); return f(); }", refused},
		"weak references":          {"() => typeof new WeakRef(globalThis).deref().process", "undefined"},
		"a shared buffer":          {"() => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1e9); return 'waited'; }", refused},
		"a setter in every list":   {"() => { Object.defineProperty(Array.prototype, 0, { set() { throw new Error('mine'); } }); return ['x']; }", refused},
		"a setter that swallows":   {"() => { Object.defineProperty(Array.prototype, 0, { set() {} }); console.log('a'); return { a: ['x'], m: new Map([[1, 2]]) }; }", ""},
		"a setter while it waits":  {"async () => { Object.defineProperty(Array.prototype, 0, { set() {} }); await new Promise((f) => setTimeout(f, 1)); return ['x']; }", ""},
		"a setter of a message":    {"() => { Object.defineProperty(Array.prototype, 0, { set() {} }); throw new Error('x'); }", refused},
		"a setter and bytes":       {"() => { Object.defineProperty(Array.prototype, 0, { set() {}, get() { return {}; } }); return Buffer.from('x'); }", ""},
		"a setter of every name":   {"() => { for (const k of ['$', 'value', 'v', 'type', 'data', 'name', 'message', 'stack', 'length', 'error', 'result']) Object.defineProperty(Object.prototype, k, { set() {}, get() { return 'mine'; } }); return { a: 1 }; }", ""},
		"a toJSON of everything":   {"() => { Object.prototype.toJSON = () => 'mine'; return { a: 1 }; }", ""},
		"a toJSON of texts":        {"() => { String.prototype.toJSON = () => ({}); return 'x'; }", ""},
		"a setter in every other":  {"() => { Object.defineProperty(Array.prototype, 1, { set(v) {}, get() { return 'mine'; } }); return [1, 2]; }", ""},
		"a changed Object.keys":    {"() => { Object.keys = () => { throw new Error('mine'); }; Array.prototype.map = Object.keys; return 'x'; }", "x"},
		"a changed Promise":        {"() => { Promise.prototype.then = () => { throw new Error('mine'); }; return 'x'; }", ""},
		"a changed iterator":       {"() => { Array.prototype[Symbol.iterator] = () => { throw new Error('mine'); }; return 'x'; }", ""},
		"a changed Symbol.toPrimitive": {"() => { Object.prototype[Symbol.toPrimitive] = () => 'mine'; return 'x'; }",
			""},
		"a function that ends the code": {"() => 1 }); globalThis.broken = 1; (() => 'x'", refused},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := runScript(t, c.source)
			switch {
			case err != nil && refusal.CodeOf(err) != refusal.Invalid:
				t.Errorf("it is no error of the script: %v", err)
			case c.want == refused && err == nil:
				t.Errorf("got %v", got)
			case c.want != refused && c.want != "" && (err != nil || got != c.want):
				t.Errorf("got %v, %v, want %q", got, err, c.want)
			}
		})
	}
	if got, err := runScript(t, "() => [typeof polluted, ({}).polluted, ({}).admin, typeof broken].join()"); err != nil || got != "undefined,,,undefined" {
		t.Errorf("the next script finds %v, %v", got, err)
	}
}
