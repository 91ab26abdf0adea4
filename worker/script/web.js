// The few functions of the web that code commonly expects and the engine does not have. What needs
// tables or parsers is done in Go.
globalThis.btoa = (data) => {
	const bytes = Uint8Array.from(String(data), (c) => {
		if (c.charCodeAt(0) > 255) throw new RangeError("btoa takes characters up to U+00FF");
		return c.charCodeAt(0);
	});
	return bytes.toBase64();
};

globalThis.atob = (data) => {
	let latin1 = "";
	for (const byte of Uint8Array.fromBase64(String(data))) latin1 += String.fromCharCode(byte);
	return latin1;
};

globalThis.TextEncoder = class TextEncoder {
	get encoding() { return "utf-8"; }
	encode(input = "") { return Uint8Array.fromBase64(host.encode(String(input).toWellFormed())); }
};

globalThis.TextDecoder = class TextDecoder {
	constructor(label = "utf-8") {
		if (!/^utf-?8$/i.test(label)) throw new RangeError(`TextDecoder knows utf-8 only, not ${label}`);
	}
	get encoding() { return "utf-8"; }
	decode(input = new Uint8Array()) {
		const bytes = input instanceof ArrayBuffer ? new Uint8Array(input) : new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
		return host.decode(bytes.toBase64());
	}
};

globalThis.crypto = {
	randomUUID: () => host.uuid(),
	getRandomValues(array) {
		new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(Uint8Array.fromBase64(host.random(array.byteLength)));
		return array;
	},
};

// Names are ordered as people do, where the engine goes by code units.
String.prototype.localeCompare = function (other, locales, { numeric = false, sensitivity = "variant" } = {}) {
	return host.collate(String(this), String(other), String(Array.isArray(locales) ? locales[0] ?? "" : locales ?? ""), Boolean(numeric), String(sensitivity));
};

globalThis.structuredClone = (value) => clone(value, new Map());

function clone(v, seen) {
	if (typeof v === "function" || typeof v === "symbol") throw new TypeError(`a ${typeof v} cannot be cloned`);
	if (v === null || typeof v !== "object") return v;
	if (seen.has(v)) return seen.get(v);
	const keep = (copy) => { seen.set(v, copy); return copy; };
	if (v instanceof Date) return keep(new Date(v));
	if (v instanceof RegExp) return keep(new RegExp(v.source, v.flags));
	if (v instanceof ArrayBuffer) return keep(v.slice(0));
	if (ArrayBuffer.isView(v)) return keep(v.slice());
	if (v instanceof Error) return keep(Object.assign(new Error(v.message), { name: v.name }));
	if (v instanceof Map) {
		const copy = keep(new Map());
		for (const [k, e] of v) copy.set(clone(k, seen), clone(e, seen));
		return copy;
	}
	if (v instanceof Set) {
		const copy = keep(new Set());
		for (const e of v) copy.add(clone(e, seen));
		return copy;
	}
	const copy = keep(Array.isArray(v) ? [] : {});
	for (const k of Object.keys(v)) copy[k] = clone(v[k], seen);
	return copy;
}

const encodeForm = (s) => encodeURIComponent(String(s).toWellFormed()).replace(/%20/g, "+").replace(/[!'()~]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

function decodeForm(s) {
	s = s.replace(/\+/g, " ");
	try {
		return decodeURIComponent(s);
	} catch {
		return s;
	}
}

globalThis.URLSearchParams = class URLSearchParams {
	#pairs = [];
	constructor(init = "") {
		if (typeof init === "object" && init !== null) {
			for (const [k, v] of Symbol.iterator in init ? init : Object.entries(init)) this.append(k, v);
			return;
		}
		for (const part of String(init).replace(/^\?/, "").split("&")) {
			if (part === "") continue;
			const [, k, v = ""] = /^([^=]*)=?(.*)$/s.exec(part);
			this.#pairs.push([decodeForm(k), decodeForm(v)]);
		}
	}
	get size() { return this.#pairs.length; }
	append(k, v) { this.#pairs.push([String(k), String(v)]); }
	delete(k) { this.#pairs = this.#pairs.filter(([name]) => name !== String(k)); }
	get(k) { return this.#pairs.find(([name]) => name === String(k))?.[1] ?? null; }
	getAll(k) { return this.#pairs.filter(([name]) => name === String(k)).map(([, v]) => v); }
	has(k) { return this.#pairs.some(([name]) => name === String(k)); }
	set(k, v) {
		const first = this.#pairs.find(([name]) => name === String(k));
		if (!first) return this.append(k, v);
		first[1] = String(v);
		this.#pairs = this.#pairs.filter((pair) => pair === first || pair[0] !== String(k));
	}
	sort() { this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)); }
	forEach(call) { for (const [k, v] of this.#pairs) call(v, k, this); }
	*entries() { for (const [k, v] of this.#pairs) yield [k, v]; }
	*keys() { for (const [k] of this.#pairs) yield k; }
	*values() { for (const [, v] of this.#pairs) yield v; }
	[Symbol.iterator]() { return this.entries(); }
	toString() { return this.#pairs.map(([k, v]) => `${encodeForm(k)}=${encodeForm(v)}`).join("&"); }
	toJSON() { return this.toString(); }
};

globalThis.URL = class URL {
	#query = "";
	constructor(href, base) {
		const parts = JSON.parse(host.url(String(href), base === undefined ? "" : String(base)));
		if (parts.error) throw new TypeError(parts.error);
		this.#query = parts.query;
		delete parts.query;
		Object.assign(this, parts);
		// Not enumerable, so that it is not mistaken for data of the URL.
		Object.defineProperty(this, "searchParams", { value: new URLSearchParams(this.#query) });
	}
	static canParse(href, base) {
		try {
			return Boolean(new URL(href, base));
		} catch {
			return false;
		}
	}
	get host() { return this.port ? `${this.hostname}:${this.port}` : this.hostname; }
	get origin() { return /^https?:$/.test(this.protocol) ? `${this.protocol}//${this.host}` : "null"; }
	get search() {
		// As written for as long as nothing changed the parameters.
		const now = this.searchParams.toString();
		const query = now === new URLSearchParams(this.#query).toString() ? this.#query : now;
		return query && "?" + query;
	}
	set search(query) {
		for (const k of [...this.searchParams.keys()]) this.searchParams.delete(k);
		for (const [k, v] of new URLSearchParams(query)) this.searchParams.append(k, v);
	}
	get href() {
		const user = this.username ? this.username + (this.password ? ":" + this.password : "") + "@" : "";
		return `${this.protocol}//${user}${this.host}${this.pathname}${this.search}${this.hash}`;
	}
	toString() { return this.href; }
	toJSON() { return this.href; }
};
