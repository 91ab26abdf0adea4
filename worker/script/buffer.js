// Buffer is how code for Node.js knows binary data, and how it gets it here: bytes that text can be made of.
const encodings = {
	utf8: [(s) => Uint8Array.fromBase64(host.encode(s.toWellFormed())), (b) => host.decode(b.toBase64())],
	hex: [(s) => Uint8Array.fromHex(s), (b) => b.toHex()],
	base64: [(s) => Uint8Array.fromBase64(s.replaceAll("-", "+").replaceAll("_", "/").replace(/=+\s*$/, "")), (b) => b.toBase64()],
	latin1: [(s) => Uint8Array.from(s, (c) => c.charCodeAt(0)), (b) => Array.from(b, (byte) => String.fromCharCode(byte)).join("")],
};
encodings.base64url = [encodings.base64[0], (b) => b.toBase64({ alphabet: "base64url", omitPadding: true })];
encodings["utf-8"] = encodings.utf8;
encodings.utf16le = encodings.ucs2 = [
	(s) => Uint8Array.from({ length: 2 * s.length }, (_, i) => (s.charCodeAt(i >> 1) >> (8 * (i & 1))) & 255),
	(b) => Array.from({ length: b.length >> 1 }, (_, i) => String.fromCharCode(b[2 * i] | (b[2 * i + 1] << 8))).join(""),
];
encodings.binary = encodings.ascii = encodings.latin1;

function encoding(name = "utf8") {
	const found = encodings[String(name).toLowerCase()];
	if (!found) throw new TypeError(`Unknown encoding: ${name}`);
	return found;
}

class Buffer extends Uint8Array {
	static from(value, encodingOrOffset, length) {
		if (typeof value === "string") return asBuffer(encoding(encodingOrOffset)[0](value));
		if (value instanceof ArrayBuffer) return new Buffer(value, encodingOrOffset, length);
		return asBuffer(Uint8Array.from(value?.type === "Buffer" ? value.data : value));
	}
	static alloc(size, fill = 0, name = "utf8") { return new Buffer(size).fill(fill, 0, size, name); }
	static allocUnsafe(size) { return new Buffer(size); }
	static byteLength(value, name) { return typeof value === "string" ? encoding(name)[0](value).length : value.byteLength; }
	static concat(list, size = list.reduce((sum, bytes) => sum + bytes.length, 0)) {
		const all = new Buffer(size);
		let at = 0;
		for (const bytes of list) {
			all.set(bytes.subarray(0, Math.max(0, size - at)), Math.min(at, size));
			at += bytes.length;
		}
		return all;
	}
	static compare(a, b) { return a.compare(b); }
	static isBuffer(value) { return value instanceof Buffer; }
	static isEncoding(name) { return Object.hasOwn(encodings, String(name).toLowerCase()); }
	toString(name, start = 0, end = this.length) { return encoding(name)[1](this.subarray(start, end)); }
	equals(other) { return this.length === other.length && this.every((byte, i) => byte === other[i]); }
	slice(start, end) { return this.subarray(start, end); } // shares its bytes, as in Node.js
	toJSON() { return { type: "Buffer", data: [...this] }; }
	compare(other) {
		for (let i = 0; i < this.length && i < other.length; i++) if (this[i] !== other[i]) return this[i] < other[i] ? -1 : 1;
		return Math.sign(this.length - other.length);
	}
	copy(target, at = 0, start = 0, end = this.length) {
		const part = this.subarray(start, Math.min(end, start + target.length - at));
		target.set(part, at);
		return part.length;
	}
	fill(value, start = 0, end = this.length, name = "utf8") {
		if (typeof value !== "string") return super.fill(value, start, end);
		const bytes = encoding(name)[0](value);
		for (let i = start; i < end; i++) this[i] = bytes.length ? bytes[(i - start) % bytes.length] : 0;
		return this;
	}
	write(text, at = 0, length = this.length - at, name = "utf8") {
		return asBuffer(encoding(name)[0](text)).copy(this.subarray(at, at + length));
	}
	indexOf(value, from = 0, name = "utf8") {
		if (typeof value === "number") return super.indexOf(value & 255, from);
		const sought = typeof value === "string" ? encoding(name)[0](value) : value;
		for (let i = from < 0 ? Math.max(0, this.length + from) : from; i + sought.length <= this.length; i++) {
			if (sought.every((byte, j) => byte === this[i + j])) return i;
		}
		return -1;
	}
	includes(value, from, name) { return this.indexOf(value, from, name) >= 0; }
}

// The numbers in a Buffer, of any kind in either byte order: readUInt16BE, writeDoubleLE and so on.
for (const [name, kind] of [["UInt8", "Uint8"], ["Int8", "Int8"], ["UInt16", "Uint16"], ["Int16", "Int16"], ["UInt32", "Uint32"], ["Int32", "Int32"],
	["Float", "Float32"], ["Double", "Float64"], ["BigInt64", "BigInt64"], ["BigUInt64", "BigUint64"]]) {
	for (const order of kind.endsWith("t8") ? [""] : ["LE", "BE"]) {
		const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		const read = function (at = 0) { return view(this)[`get${kind}`](at, order === "LE"); };
		const write = function (value, at = 0) {
			view(this)[`set${kind}`](at, value, order === "LE");
			return at + parseInt(kind.replace(/\D+/, ""), 10) / 8;
		};
		for (const n of new Set([name, name.replace("UInt", "Uint")])) {
			Buffer.prototype[`read${n}${order}`] = read;
			Buffer.prototype[`write${n}${order}`] = write;
		}
	}
}

const asBuffer = (bytes) => new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength);
globalThis.Buffer = Buffer;
host.bytes = asBuffer; // what the arguments hold

// The modules of Node.js that code commonly asks for, as far as it does.
class Digest {
	#parts = [];
	#name;
	#key;
	constructor(name, key) {
		host.digest(name, "", null); // refuses a function that is not known
		this.#name = name;
		this.#key = key;
	}
	update(data, name) {
		this.#parts.push(Buffer.from(data, name));
		return this;
	}
	digest(name) {
		const sum = asBuffer(Uint8Array.fromBase64(host.digest(this.#name, Buffer.concat(this.#parts).toBase64(), this.#key)));
		return name ? sum.toString(name) : sum;
	}
}

host.modules = {
	__proto__: null,
	buffer: { Buffer },
	crypto: {
		...crypto,
		createHash: (name) => new Digest(name, null),
		createHmac: (name, key) => new Digest(name, Buffer.from(key).toBase64()),
		randomBytes: (size) => crypto.getRandomValues(new Buffer(size)),
		timingSafeEqual: (a, b) => Buffer.from(a).equals(b),
	},
	url: { URL, URLSearchParams },
};
