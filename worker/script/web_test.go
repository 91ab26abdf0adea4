package script

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What code expects of the web, as other engines answer it.
func TestScriptWeb(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		want   any
	}{
		"URL": {`() => { const u = new URL("https://user:pa%20ss@EXAMPLE.com:8443/a b/c?x=1&y=a+b#frag"); return [u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash, u.origin, u.href, String(u)]; }`,
			[]any{"https:", "user", "pa%20ss", "example.com:8443", "example.com", "8443", "/a%20b/c", "?x=1&y=a+b",
				"#frag", "https://example.com:8443", "https://user:pa%20ss@example.com:8443/a%20b/c?x=1&y=a+b#frag",
				"https://user:pa%20ss@example.com:8443/a%20b/c?x=1&y=a+b#frag"}},
		"URL, default port": {`() => new URL("https://example.com:443").href`, "https://example.com/"},
		"URL, base":         {`() => new URL("../b?c", "https://example.com/x/y/z").href`, "https://example.com/x/b?c"},
		"URL, IPv6":         {`() => new URL("http://[::1]:80/").host`, "[::1]"},
		"URL, parameters":   {`() => { const u = new URL("https://example.com/?a=1"); u.searchParams.append("b", "x y&z"); u.searchParams.set("a", 2); return u.href; }`, "https://example.com/?a=2&b=x+y%26z"},
		"URL, as it comes":  {`() => [new URL("https://example.com/?q=a b'c#d").href, new URL("https://example.com/?q=%20+ü").search]`, []any{"https://example.com/?q=a%20b%27c#d", "?q=%20+%C3%BC"}},
		"URL, search":       {`() => { const u = new URL("https://example.com/?a=1"); u.search = "?q=2"; u.pathname = "/p"; return [u.href, u.searchParams.get("q")]; }`, []any{"https://example.com/p?q=2", "2"}},
		"URL, as written":   {`() => new URL("https://example.com/?a=%7E&b").href`, "https://example.com/?a=%7E&b"},
		"URL, as data": {`() => ({ u: new URL("https://example.com/a") })`,
			map[string]any{"u": "https://example.com/a"}},
		"URL, invalid": {`() => { try { new URL("nonsense"); } catch (e) { return [e.name, e.message, URL.canParse("nonsense"), URL.canParse("/a", "https://b.c")]; } }`, []any{"TypeError", "Invalid URL: nonsense", false, true}},
		"parameters": {`() => { const p = new URLSearchParams("?a=1&b=%C3%A4+&a=2&c"); p.delete("c"); return [p.getAll("a"), p.get("b"), p.get("x"), p.has("a"), p.size, [...p], Object.fromEntries(p), p.toString()]; }`,
			[]any{[]any{"1", "2"}, "ä ", nil, true, 3.0, []any{[]any{"a", "1"}, []any{"b", "ä "}, []any{"a", "2"}},
				map[string]any{"a": "2", "b": "ä "}, "a=1&b=%C3%A4+&a=2"}},
		"parameters of object":  {`() => new URLSearchParams({ z: 1, a: "~'!*" }).toString()`, "z=1&a=%7E%27%21*"},
		"parameters of pairs":   {`() => { const p = new URLSearchParams([["b", 1], ["a", 2]]); p.sort(); return [p.toString(), [...p.keys()], [...p.values()]]; }`, []any{"a=2&b=1", []any{"a", "b"}, []any{"2", "1"}}},
		"parameters, malformed": {`() => new URLSearchParams("a=%zz&=x&&").toString()`, "a=%25zz&=x"},
		"text to bytes": {`() => [...new TextEncoder().encode("ä€😀\ud800")]`,
			[]any{195.0, 164.0, 226.0, 130.0, 172.0, 240.0, 159.0, 152.0, 128.0, 239.0, 191.0, 189.0}},
		"bytes to text": {`() => new TextDecoder().decode(new Uint8Array([0xEF, 0xBB, 0xBF, 0xC3, 0xA4, 0xFF, 0x41]).buffer)`, "ä\uFFFDA"},
		"other encodings": {`() => { try { new TextDecoder("latin1"); } catch (e) { return e.message; } }`,
			"TextDecoder knows utf-8 only, not latin1"},
		"base64":          {`() => [btoa("a\u00ff"), atob("Yf8=").charCodeAt(1)]`, []any{"Yf8=", 255.0}},
		"base64 of text":  {`() => { try { btoa("€"); } catch (e) { return e.name; } }`, "RangeError"},
		"randomUUID":      {`() => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()) && crypto.randomUUID() !== crypto.randomUUID()`, true},
		"getRandomValues": {`() => { const a = crypto.getRandomValues(new Uint32Array(64)); return a.length === 64 && new Set(a).size > 60; }`, true},
		"structuredClone": {`() => { const o = { d: new Date(0), m: new Map([[1, { a: 1 }]]), s: new Set([1]), b: new Uint8Array([1]), r: /x/g, l: [1], n: null }; o.self = o;
			const c = structuredClone(o); o.l.push(2); o.b[0] = 9; o.m.get(1).a = 2;
			return [c !== o, c.self === c, c.d.getTime(), c.m.get(1).a, c.s.has(1), c.b[0], c.r.flags, c.l.length, c.n]; }`,
			[]any{true, true, 0.0, 1.0, true, 1.0, "g", 1.0, nil}},
		"structuredClone, function": {`() => { try { structuredClone(() => 1); } catch (e) { return e.message; } }`,
			"a function cannot be cloned"},
		"Buffer, text": {`() => ["aGkg4oKs", "aGkg4oKs==", "aGkg-_"].map((s) => Buffer.from(s, "base64").toString("hex")).concat(Buffer.from("ä€").toString("base64"), Buffer.from("ff00", "hex").toString("latin1"), Buffer.from("\u00ff", "binary").toString("base64url"), String(Buffer.from("ä")))`,
			[]any{"686920e282ac", "686920e282ac", "686920fb", "w6Tigqw=", "ÿ\x00", "_w", "ä"}},
		"Buffer, bytes": {`() => { const b = Buffer.concat([Buffer.from([1, 2]), new Uint8Array([3])]); b.slice(0, 1)[0] = 9; return [[...b], b.length, Buffer.isBuffer(b.subarray(1)), Buffer.isBuffer(new Uint8Array(1)), b.equals(Buffer.from([9, 2, 3])), [...Buffer.alloc(2, 7)], Buffer.byteLength("€"), [...Buffer.concat([b, b], 4)], [...Buffer.from(b.buffer, 1, 1)], [...Buffer.from({ type: "Buffer", data: [5] })], b.toString("hex", 1, 2)]; }`,
			[]any{[]any{9.0, 2.0, 3.0}, 3.0, true, false, true, []any{7.0, 7.0}, 3.0, []any{9.0, 2.0, 3.0, 9.0},
				[]any{2.0}, []any{5.0}, "02"}},
		"crypto": {`() => { const { createHash, createHmac, randomBytes, timingSafeEqual } = require("node:crypto"); const h = createHash("sha256").update("a").update(Buffer.from("bc"));
			return [h.digest("hex"), createHmac("SHA256", "Jefe").update("what do ya want for nothing?").digest("base64"), Buffer.isBuffer(createHmac("md5", "").update("").digest()), randomBytes(5).length, timingSafeEqual(new Uint8Array([1]), Buffer.from([1]))]; }`,
			[]any{"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
				"W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=", true, 5.0, true}},
		"crypto, unknown function": {`() => { try { require("crypto").createHash("rot13"); } catch (e) { return e.message.slice(0, 55); } }`, `hashFunction: "rot13" is no known hash function; known `},
		"modules":                  {`() => [require("buffer").Buffer === Buffer, new (require("url").URL)("https://a.b/c").host, (() => { try { require("constructor"); } catch (e) { return e.message; } })()]`, []any{true, "a.b", `require("constructor") is not available: of modules there are buffer, crypto, url`}},
		"Buffer, given back":       {`() => ({ data: Buffer.from("hi") })`, map[string]any{"data": []byte("hi")}},
		"Buffer, unknown encoding": {`() => { try { Buffer.from("", "utf32"); } catch (e) { return e.message; } }`,
			"Unknown encoding: utf32"},
		"Buffer, as JSON": {`() => JSON.stringify({ b: Buffer.from("hi") })`,
			`{"b":{"type":"Buffer","data":[104,105]}}`},
		"Buffer, sought":   {`() => { const b = Buffer.from("abcabc"); return [b.indexOf("c"), b.indexOf("c", 3), b.indexOf(98), b.indexOf(Buffer.from("ca")), b.indexOf("x"), b.includes("bca"), b.includes("x"), b.indexOf("c", -1), b.indexOf("")]; }`, []any{2.0, 5.0, 1.0, 2.0, -1.0, true, false, 5.0, 0.0}},
		"Buffer, compared": {`() => [["a", "b"], ["b", "a"], ["a", "a"], ["a", "ab"]].map((p) => Buffer.compare(...p.map((s) => Buffer.from(s))))`, []any{-1.0, 1.0, 0.0, -1.0}},
		"Buffer, filled": {`() => { const b = Buffer.alloc(5, "ab"); const n = b.write("é", 1); const c = Buffer.alloc(3); return [b.toString("latin1"), n, b.copy(c, 1, 3), c.toString("hex"), Buffer.from("a€", "utf16le").toString("hex"), Buffer.from("6100ac20", "hex").toString("ucs2")]; }`,
			[]any{"a\u00c3\u00a9ba", 2.0, 2.0, "006261", "6100ac20", "a€"}},
		"Buffer, numbers": {`() => { const b = Buffer.alloc(16); const at = b.writeUInt16BE(258); b.writeInt32LE(-2, at); b.writeDoubleBE(1.5, 8); b.writeUint8(255, 6); return [at, b.readUInt16LE(0), b.readInt32LE(2), b.readUInt8(6), b.readInt8(6), b.readDoubleBE(8), String(b.subarray(8).readBigUInt64BE()), b.toString("hex")]; }`,
			[]any{2.0, 513.0, -2.0, 255.0, -1.0, 1.5, "4609434218613702656", "0102feffffffff003ff8000000000000"}},
		"timers in order": {`() => new Promise((done) => { const s = []; setTimeout((x) => s.push(x), 6, "late"); const no = setTimeout(() => s.push("never"), 1); clearTimeout(no); setTimeout(() => s.push("soon")); setTimeout(() => done(s), 12); queueMicrotask(() => s.push("first")); })`, []any{"first", "soon", "late"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := runScript(t, c.source)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}
