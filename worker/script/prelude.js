// What stands between Go and a script: it makes the script's function, hands it plain values, waits
// for what it gives and turns that into plain values again. It runs before the script and keeps the
// intrinsics that it needs, so that a script which changes them only confuses itself.
// Values cross as the JSON that value.Encode writes.
// The Go functions that it uses are registered as globals, the only way there is; it takes them out of
// the script's reach.
const host = {};
for (const name of hostNames) {
	host[name] = globalThis[`heddle_${name}`];
	delete globalThis[`heddle_${name}`];
}
const { parse, stringify } = JSON;
const { isArray } = Array;
const { keys, entries, fromEntries, getPrototypeOf, defineProperty, prototype: plainPrototype } = Object;
const indirectEval = eval; // its frames are "<input>", the ones here are "<eval>": see error.go
const fromBase64 = Uint8Array.fromBase64;
const toBase64 = (bytes) => Uint8Array.prototype.toBase64.call(bytes);
const bytesKey = "$bytes";
const objectKey = "$object";
const maxDepth = 500;

function marked(object) {
	const names = keys(object);
	return names.length === 1 && (names[0] === bytesKey || names[0] === objectKey) ? names[0] : "";
}

// decode works in place, which is all right with what JSON.parse has just made.
function decode(v) {
	if (v === null || typeof v !== "object") return v;
	if (!isArray(v)) {
		switch (marked(v)) {
		case bytesKey: return host.bytes(fromBase64(v[bytesKey]));
		case objectKey: v = v[objectKey];
		}
	}
	for (const k of keys(v)) {
		if (typeof v[k] === "object") v[k] = decode(v[k]);
	}
	return v;
}

// read leaves out the walk where nothing is marked, which is most of the time.
function read(json) {
	const v = parse(json);
	return json.includes(`"${bytesKey}"`) || json.includes(`"${objectKey}"`) ? decode(v) : v;
}

// asBytes gives the bytes of anything binary, undefined for the rest.
function asBytes(v) {
	if (v instanceof Uint8Array) return v;
	if (v instanceof ArrayBuffer) return new Uint8Array(v);
	if (ArrayBuffer.isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
}

// place tells where in a value the way has come to.
const place = (way) => way.names.map((k, i) => (i === 0 ? k : typeof k === "number" ? `[${k}]` : `.${k}`)).join("");

// encode gives the plain form of a value, undefined for what JSON leaves out. The way there is kept
// to find a value that contains itself and for the messages.
function encode(v, way) {
	switch (typeof v) {
	case "number": return isFinite(v) ? v : null;
	case "string": case "boolean": return v;
	case "bigint":
		if (v > -(2n ** 53n) && v < 2n ** 53n) return Number(v);
		throw new TypeError(`${place(way)} is a BigInt that no number can hold; return it as text`);
	case "object": return v === null ? null : encodeObject(v, way);
	}
}

function encodeObject(v, way) {
	if (way.above.includes(v)) throw new TypeError(`${place(way)} contains itself`);
	if (way.above.length >= maxDepth) throw new TypeError(`the value is nested deeper than ${maxDepth} levels`);
	way.above.push(v);
	const encoded = isArray(v) ? encodeList(v, way) : encodeInstance(v, way);
	way.above.pop();
	return encoded;
}

function encodeInstance(v, way) {
	const ordinary = getPrototypeOf(v) === plainPrototype;
	const bytes = ordinary ? undefined : asBytes(v); // before its JSON: a Buffer has one
	if (bytes) return { [bytesKey]: toBase64(bytes) };
	if (typeof v.toJSON === "function" && !(v instanceof Date)) return encode(v.toJSON(""), way);
	if (ordinary) return encodeFields(v, way);
	if (v instanceof Promise) throw new TypeError(`${place(way)} is a promise: await it`);
	if (v instanceof Date) return isNaN(v) ? null : v.toISOString();
	if (v instanceof Number || v instanceof String || v instanceof Boolean) return encode(v.valueOf(), way);
	if (v instanceof Map) return encodeFields(fromEntries(v), way);
	if (v instanceof Set) return encodeList([...v], way);
	if (v instanceof Error) return encodeFields({ name: v.name, message: v.message, ...v }, way);
	return encodeFields(v, way);
}

function encodeList(v, way) {
	const list = [];
	for (let i = 0; i < v.length; i++) {
		way.names.push(i);
		list.push(encode(v[i], way) ?? null);
		way.names.pop();
	}
	return list;
}

function encodeFields(v, way) {
	const object = {};
	for (const k of keys(v)) {
		way.names.push(k);
		const plain = encode(v[k], way);
		way.names.pop();
		if (plain === undefined) continue;
		if (k !== "__proto__") object[k] = plain;
		else defineProperty(object, k, { value: plain, enumerable: true }); // to set it would do something else
	}
	return marked(object) ? { [objectKey]: object } : object;
}

const plain = (v, name) => encode(v, { names: [name], above: [] }) ?? null;

// text is how a value is shown in the log.
function text(v) {
	if (typeof v === "string") return v;
	if (v instanceof Error) return v.stack ? `${v}\n${v.stack}` : `${v}`;
	if (v === null || typeof v !== "object") return String(v);
	try {
		return stringify(plain(v, "value"));
	} catch (e) {
		return String(e);
	}
}

function log(level, values) {
	host.log(level, values.map(text).join(" ").slice(0, limits.logLine + 1));
}

const levels = { trace: "trace", debug: "debug", info: "info", log: "info", warn: "warn", error: "error" };
const makeLogger = (more) => fromEntries(entries({ ...levels, ...more }).map(([name, level]) => [name, (...values) => log(level, values)]));
globalThis.console = makeLogger({ dir: "info", table: "info", group: "info" });
for (const name of ["assert", "count", "groupEnd", "time", "timeEnd", "timeLog"]) console[name] = () => {}; // nobody looks on

// Timers wait in order of their time. Go sleeps until the next one is due and then calls fire.
let timers = [];
let lastTimer = 0;
function wait(timer) {
	timer.at = Date.now() + timer.delay;
	timers.push(timer);
	timers.sort((a, b) => a.at - b.at || a.id - b.id);
}
const timerOf = (least, repeated) => (call, delay, ...args) => {
	if (typeof call !== "function") throw new TypeError("a timer needs a function");
	wait({ id: ++lastTimer, delay: Math.max(least, Number(delay) || 0), call, args, repeated });
	return lastTimer;
};
globalThis.setTimeout = timerOf(0, false);
globalThis.setInterval = timerOf(1, true);
globalThis.setImmediate = (call, ...args) => setTimeout(call, 0, ...args);
globalThis.clearTimeout = globalThis.clearInterval = globalThis.clearImmediate = (id) => {
	timers = timers.filter((t) => t.id !== id);
};
globalThis.queueMicrotask = (call) => { Promise.resolve().then(call); };

const unavailable = (message) => { throw new Error(message); };
const require = (name) => host.modules?.[String(name).replace(/^node:/, "")] ??
	unavailable(`require(${stringify(String(name))}) is not available: of modules there are ${keys(host.modules ?? {}).join(", ")}`);

// load makes the function of a source. A source that is one expression is the function itself;
// anything else is a module. The wrappers add no line, so that lines in errors are the source's.
function load(source) {
	const module = { exports: {} };
	let make;
	try {
		make = indirectEval(`(function (module, exports, require) { return (${source.replace(/;\s*$/, "")}\n); })`);
	} catch {
		make = indirectEval(`(function (module, exports, require) { ${source}\n})`);
	}
	const value = make.call(undefined, module, module.exports, require);
	for (const candidate of [module.exports, module.exports?.default, value]) {
		if (typeof candidate === "function") return candidate;
	}
	throw new TypeError("the code must assign a function to module.exports or be a function");
}

let outcome; // {value} or {error} once the function is done

function failed(error) {
	const { name, message, stack } = error instanceof Error ? error : {};
	outcome = { error: { name: String(name ?? ""), message: name === undefined ? text(error) : String(message), stack: String(stack ?? "") } };
}

function finish(value, context, names) {
	try {
		if (!names) {
			outcome = { value: plain(value, "result") };
			return;
		}
		const left = {};
		for (const name of names) left[name] = plain(context[name], `context.${name}`);
		outcome = { value: { value: plain(value, "result"), context: left } };
	} catch (error) {
		failed(error);
	}
}

// HTTP headers are found in any case, as references find them: senders and proxies write them as they like.
const anyCase = {
	get: (headers, name) => headers[headerName(headers, name)],
	has: (headers, name) => headerName(headers, name) in headers,
};

function headerName(headers, name) {
	if (name in headers || typeof name !== "string") return name;
	const lower = name.toLowerCase();
	return keys(headers).find((k) => k.toLowerCase() === lower) ?? name;
}

function lenient(holder) {
	const headers = holder?.headers;
	if (headers && typeof headers === "object" && !isArray(headers)) holder.headers = new Proxy(headers, anyCase);
}

return {
	host,
	start(source, args, contextNames) {
		try {
			const values = read(args);
			const names = parse(contextNames);
			if (names) {
				values[0].logger = makeLogger({ metric: "metric" });
				lenient(values[1]); // a trigger's payload, or the steps
				for (const name of keys(values[1] ?? {})) lenient(values[1][name]?.results);
			}
			const result = load(source)(...values);
			Promise.resolve(result).then((value) => finish(value, values[0], names), failed);
		} catch (error) {
			failed(error);
		}
	},
	// next tells what to do when no job is left: -1 take the result, -2 nothing can happen any more,
	// unless a request is under way, else sleep so many milliseconds and call fire.
	next() {
		if (outcome) return -1;
		return timers.length ? Math.max(0, timers[0].at - Date.now()) : -2;
	},
	fire() {
		const timer = timers.shift();
		if (timer.repeated) wait(timer);
		try {
			timer.call(...timer.args);
		} catch (error) {
			if (!outcome) failed(error);
		}
	},
	result() {
		const json = stringify(outcome);
		return json.length > limits.output ? stringify({ tooLarge: json.length }) : json;
	},
};
