// fetch and what goes with it. The request itself is made in Go, through the client that keeps steps
// away from private addresses; an answer comes whole, so that its body can be read at once.
const encodeText = (s) => Uint8Array.fromBase64(host.encode(String(s).toWellFormed()));

globalThis.Headers = class Headers {
	#fields = new Map(); // by lower-case name
	constructor(init = []) {
		if (init === null || typeof init !== "object") throw new TypeError("Headers takes an object or a list of pairs");
		for (const [k, v] of Symbol.iterator in init ? init : Object.entries(init)) this.append(k, v);
	}
	append(k, v) { this.set(k, this.has(k) ? `${this.get(k)}, ${String(v).trim()}` : v); }
	delete(k) { this.#fields.delete(String(k).toLowerCase()); }
	get(k) { return this.#fields.get(String(k).toLowerCase()) ?? null; }
	has(k) { return this.#fields.has(String(k).toLowerCase()); }
	set(k, v) {
		if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(k)) throw new TypeError(`"${k}" is not a name of a header`);
		if (/[\0\r\n]/.test(v)) throw new TypeError(`the header ${k} has a line break in its value`);
		this.#fields.set(String(k).toLowerCase(), String(v).trim());
	}
	forEach(call) { for (const [k, v] of this) call(v, k, this); }
	*entries() { for (const k of [...this.#fields.keys()].sort()) yield [k, this.#fields.get(k)]; }
	*keys() { for (const [k] of this) yield k; }
	*values() { for (const [, v] of this) yield v; }
	[Symbol.iterator]() { return this.entries(); }
	toJSON() { return Object.fromEntries(this); }
};

// content gives the bytes of a body and the content type that goes with it.
function content(body) {
	if (body === undefined || body === null) return [null, ""];
	if (body instanceof ArrayBuffer) return [new Uint8Array(body), ""];
	if (ArrayBuffer.isView(body)) return [new Uint8Array(body.buffer, body.byteOffset, body.byteLength), ""];
	if (body instanceof URLSearchParams) return [encodeText(body), "application/x-www-form-urlencoded;charset=UTF-8"];
	return [encodeText(body), "text/plain;charset=UTF-8"];
}

// Body is what requests and responses have in common.
class Body {
	#bytes;
	bodyUsed = false;
	constructor(body, headers) {
		const [bytes, type] = content(body);
		this.#bytes = bytes;
		this.headers = new Headers(headers);
		if (type && !this.headers.has("content-type")) this.headers.set("content-type", type);
	}
	static bytes(from) { return from.#bytes; }
	async bytes() {
		if (this.bodyUsed) throw new TypeError("the body was read already");
		this.bodyUsed = true;
		return this.#bytes ?? new Uint8Array();
	}
	async arrayBuffer() {
		const bytes = await this.bytes();
		return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
	}
	async text() { return host.decode((await this.bytes()).toBase64()); }
	async json() { return JSON.parse(await this.text()); }
}
const { bytes: bytesOf } = Body;

globalThis.Response = class Response extends Body {
	constructor(body, { status = 200, statusText = "", headers } = {}) {
		super(body, headers);
		Object.assign(this, { status, statusText, url: "", redirected: false, type: "default" });
	}
	static json(value, init = {}) {
		const headers = new Headers(init.headers);
		if (!headers.has("content-type")) headers.set("content-type", "application/json");
		return new Response(JSON.stringify(value), { ...init, headers });
	}
	get ok() { return this.status >= 200 && this.status <= 299; }
	clone() { return Object.assign(new Response(bytesOf(this), this), { url: this.url, redirected: this.redirected }); }
};

globalThis.Request = class Request extends Body {
	constructor(input, init = {}) {
		const from = input instanceof Request ? input : {};
		super(init.body ?? (input instanceof Request ? bytesOf(input) : null), init.headers ?? from.headers);
		this.url = from.url ?? new URL(String(input)).href;
		this.method = String(init.method ?? from.method ?? "GET").toUpperCase();
		this.redirect = init.redirect ?? from.redirect ?? "follow";
		this.signal = init.signal ?? from.signal ?? null;
		if (bytesOf(this) && /^(GET|HEAD)$/.test(this.method)) throw new TypeError(`a ${this.method} request has no body`);
		if (!["follow", "manual", "error"].includes(this.redirect)) throw new TypeError(`redirect is follow, manual or error, not ${this.redirect}`);
	}
	clone() { return new Request(this); }
};

globalThis.AbortSignal = class AbortSignal {
	aborted = false;
	reason = undefined;
	onabort = null;
	#calls = [];
	static abort(reason) { return AbortSignal.#after((abort) => abort(reason)); }
	static timeout(milliseconds) {
		return AbortSignal.#after((abort) => setTimeout(() => abort(named("TimeoutError", "the request took too long")), milliseconds));
	}
	static #after(when) {
		const controller = new AbortController();
		when((reason) => controller.abort(reason));
		return controller.signal;
	}
	static abortOf(signal, reason = named("AbortError", "the request was aborted")) {
		if (signal.aborted) return;
		Object.assign(signal, { aborted: true, reason });
		for (const call of [signal.onabort, ...signal.#calls]) call?.({ type: "abort", target: signal });
	}
	addEventListener(type, call) { if (type === "abort") this.#calls.push(call); }
	removeEventListener(type, call) { this.#calls = this.#calls.filter((c) => c !== call); }
	throwIfAborted() { if (this.aborted) throw this.reason; }
};
const { abortOf } = AbortSignal;
delete AbortSignal.abortOf;

globalThis.AbortController = class AbortController {
	signal = new AbortSignal();
	abort(reason) { abortOf(this.signal, reason); }
};

const named = (name, message) => Object.assign(new Error(message), { name });

let lastFetch = 0;
const fetches = new Map(); // the promises' functions, by number

globalThis.fetch = async (input, init) => {
	const request = new Request(input, init);
	request.signal?.throwIfAborted();
	const id = ++lastFetch;
	const promise = new Promise((resolve, reject) => fetches.set(id, { resolve, reject }));
	host.fetch(id, JSON.stringify({
		url: request.url, method: request.method, redirect: request.redirect,
		headers: [...request.headers], body: bytesOf(request)?.toBase64(),
	}));
	request.signal?.addEventListener("abort", () => {
		fetches.get(id)?.reject(request.signal.reason);
		fetches.delete(id);
	});
	return promise;
};

return {
	// settle hands the answer to a request, or why there is none, to the code that waits for it.
	settle(id, json) {
		const waiting = fetches.get(id);
		fetches.delete(id);
		if (!waiting) return;
		const answer = JSON.parse(json);
		if (answer.error) {
			waiting.reject(new TypeError(`fetch failed: ${answer.error}`));
			return;
		}
		const response = new Response(answer.body ? Uint8Array.fromBase64(answer.body) : new Uint8Array(), answer);
		waiting.resolve(Object.assign(response, { url: answer.url, redirected: answer.redirected, type: "basic" }));
	},
};
