// Buffer is how code for Node.js knows binary data, and how it gets it here: bytes that text can be made of.
const encodings = {
	utf8: [(s) => Uint8Array.fromBase64(host.encode(s.toWellFormed())), (b) => host.decode(b.toBase64())],
	hex: [(s) => Uint8Array.fromHex(s), (b) => b.toHex()],
	base64: [(s) => Uint8Array.fromBase64(s.replaceAll("-", "+").replaceAll("_", "/").replace(/=+\s*$/, "")), (b) => b.toBase64()],
	latin1: [(s) => Uint8Array.from(s, (c) => c.charCodeAt(0)), (b) => Array.from(b, (byte) => String.fromCharCode(byte)).join("")],
};
encodings.base64url = [encodings.base64[0], (b) => b.toBase64({ alphabet: "base64url", omitPadding: true })];
encodings["utf-8"] = encodings.utf8;
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
	static alloc(size, fill = 0) { return new Buffer(size).fill(fill); }
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
	static isBuffer(value) { return value instanceof Buffer; }
	static isEncoding(name) { return Object.hasOwn(encodings, String(name).toLowerCase()); }
	toString(name, start = 0, end = this.length) { return encoding(name)[1](this.subarray(start, end)); }
	equals(other) { return this.length === other.length && this.every((byte, i) => byte === other[i]); }
	slice(start, end) { return this.subarray(start, end); } // shares its bytes, as in Node.js
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
