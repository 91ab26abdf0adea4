// A renderer of the parts of Liquid that templates of data use: output with filters, assign, capture,
// if, unless, case, for, cycle, counters, comment and raw. It runs in the script engine, so its time and memory are bounded.
(source, data) => {
	const fail = (message) => { throw new Error(message); };
	// Texts and, at odd places, what is in braces between them. A brace that is never closed is text.
	const tokens = [];
	for (let from = 0, at = 0, open = { "{": true, "%": true }; ;) {
		at = source.indexOf("{", at);
		const kind = source[at + 1];
		if (at >= 0 && !(Object.hasOwn(open, kind) && open[kind])) { at++; continue; }
		const end = at < 0 ? -1 : source.indexOf(kind === "{" ? "}}" : "%}", at + 2);
		if (at >= 0 && end < 0) { open[kind] = false; at++; continue; }
		tokens.push(source.slice(from, at < 0 ? undefined : at));
		if (at < 0) break;
		tokens.push(source.slice(at, end + 2));
		from = at = end + 2;
	}
	// {{- and -}} take the whitespace beside them along.
	for (let i = 1; i < tokens.length; i += 2) {
		if (tokens[i][2] === "-") tokens[i - 1] = tokens[i - 1].trimEnd();
		if (tokens[i].at(-3) === "-") tokens[i + 1] = tokens[i + 1].trimStart();
	}
	let at = 0;
	const inner = (token) => token.slice(2, -2).replace(/^-|-$/g, "").trim();
	const tagOf = (token) => (token?.startsWith("{%") ? /^(\w+)\s*([\s\S]*)$/.exec(inner(token)) ?? ["", "", ""] : null);

	// parse reads up to one of the tags in ends and gives the nodes and that tag.
	function parse(...ends) {
		const nodes = [];
		for (; at < tokens.length; at++) {
			const token = tokens[at];
			if (at % 2 === 0) { if (token) nodes.push(() => token); continue; }
			if (token.startsWith("{{")) { nodes.push(output(inner(token))); continue; }
			const [, name, rest] = tagOf(token);
			if (ends.includes(name)) { at++; return { nodes, name, rest }; }
			at++;
			nodes.push((tags[name] ?? fail(`the tag ${name || token} is not known`))(rest));
			at--;
		}
		if (ends.length) fail(`the tag ${ends.at(-1)} is missing`);
		return { nodes };
	}
	const run = (nodes, scope) => { let text = ""; for (const node of nodes) { text += node(scope); if (scope.left) break; } return text; };

	const pieces = /"[^"]*"|'[^']*'|\(|\)|\.\.|==|!=|<>|<=|>=|<|>|\||:|,|=|\[|\]|\.(?=[A-Za-z_])|-?\d+(?:\.\d+)?|[A-Za-z_][\w-]*\??|\S/g;
	const read = (text) => text.match(pieces) ?? [];
	const literals = { true: true, false: false, nil: null, null: null, empty: "", blank: "" };

	// value takes the pieces of one value off the front of a list and gives a function of the scope.
	function value(list) {
		const first = list.shift() ?? fail("a value is missing");
		if (first === "(") {
			const from = value(list);
			list.shift() === ".." || fail("a range needs ..");
			const to = value(list);
			list.shift() === ")" || fail("a range needs )");
			return (s) => { const [a, b] = [Number(from(s)), Number(to(s))]; return Array.from({ length: Math.max(0, Math.min(b - a + 1, 1e6)) }, (_, i) => a + i); };
		}
		if (/^["']/.test(first)) return () => first.slice(1, -1);
		if (/^-?\d/.test(first)) return () => Number(first);
		if (first in literals && Object.hasOwn(literals, first)) return () => literals[first];
		if (!/^[A-Za-z_]/.test(first)) fail(`${first} is no value`);
		const steps = [() => first];
		while (list[0] === "." || list[0] === "[") {
			if (list.shift() === ".") { const name = list.shift(); steps.push(() => name); continue; }
			steps.push(value(list));
			list.shift() === "]" || fail("a ] is missing");
		}
		return (s) => steps.reduce((v, step) => member(v, step(s)), s.names);
	}
	function member(v, key) {
		if (v === null || v === undefined) return null;
		if (typeof v === "object" && Object.hasOwn(v, key) && !(Array.isArray(v) && key === "length")) return v[key];
		if (key === "size") return typeof v === "object" && !Array.isArray(v) ? Object.keys(v).length : v.length ?? null;
		if (Array.isArray(v) && (key === "first" || key === "last" || key < 0)) return v.at(key === "first" ? 0 : key === "last" ? -1 : key) ?? null;
		return null;
	}
	const show = (v) => (v === null || v === undefined ? "" : Array.isArray(v) ? v.map(show).join("") : typeof v === "object" ? JSON.stringify(v) : String(v));

	function filtered(list) {
		let result = value(list);
		while (list[0] === "|") {
			list.shift();
			const name = list.shift();
			const filter = Object.hasOwn(filters, name) ? filters[name] : fail(`the filter ${name} is not known`);
			const args = [];
			if (list[0] === ":") do { list.shift(); args.push(value(list)); } while (list[0] === ",");
			const before = result;
			result = (s) => filter(before(s), ...args.map((a) => a(s)));
		}
		if (list.length) fail(`${list.join(" ")} is not understood`);
		return result;
	}
	function output(text) { const result = filtered(read(text)); return (s) => show(result(s)); }

	const truthy = (v) => v !== null && v !== undefined && v !== false;
	const compare = {
		"==": (a, b) => a === b || (b === "" && Array.isArray(a) && a.length === 0), "!=": (a, b) => !compare["=="](a, b), "<>": (a, b) => a !== b,
		"<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
		contains: (a, b) => (Array.isArray(a) ? a.includes(b) : String(a ?? "").includes(String(b))),
	};
	// and and or have no precedence in Liquid: the last one is decided first.
	function condition(list) {
		const left = value(list);
		let test = (s) => truthy(left(s));
		if (list[0] !== undefined && Object.hasOwn(compare, list[0])) { const by = compare[list.shift()]; const right = value(list); test = (s) => by(left(s), right(s)); }
		const word = list.shift();
		if (word === undefined) return test;
		const rest = condition(list);
		if (word === "and") return (s) => test(s) && rest(s);
		if (word === "or") return (s) => test(s) || rest(s);
		fail(`${word} is not understood`);
	}
	function choose(first, end) {
		const arms = [];
		let test = first;
		for (;;) {
			const { nodes, name, rest } = parse("elsif", "else", end);
			arms.push([test, nodes]);
			if (name === end) return (s) => { const arm = arms.find(([is]) => is(s)); return arm ? run(arm[1], s) : ""; };
			test = name === "else" ? () => true : condition(read(rest));
		}
	}
	function rawUntil(end) {
		let text = "";
		for (; at < tokens.length; at++) { if (tagOf(tokens[at])?.[1] === end) { at++; return text; } text += tokens[at]; }
		fail(`the tag ${end} is missing`);
	}
	const tags = {
		assign(rest) { const [, name, text] = /^([\w-]+)\s*=\s*([\s\S]+)$/.exec(rest) ?? fail("assign needs name = value"); const v = filtered(read(text)); return (s) => { s.names[name] = v(s); return ""; }; },
		capture(rest) { const { nodes } = parse("endcapture"); return (s) => { s.names[rest] = run(nodes, s); return ""; }; },
		comment() { rawUntil("endcomment"); return () => ""; },
		raw() { const text = rawUntil("endraw"); return () => text; },
		if: (rest) => choose(condition(read(rest)), "endif"),
		unless(rest) { const is = condition(read(rest)); return choose((s) => !is(s), "endunless"); },
		case(rest) {
			const subject = value(read(rest));
			const arms = [];
			let part = parse("when", "else", "endcase");
			while (part.name !== "endcase") {
				const list = part.name === "when" ? read(part.rest) : null;
				const options = [];
				while (list?.length) { if (list[0] === "," || list[0] === "or") list.shift(); else options.push(value(list)); }
				part = parse("when", "else", "endcase");
				const { nodes } = part;
				arms.push([(s) => !list || options.some((o) => o(s) === subject(s)), nodes]);
			}
			return (s) => { const arm = arms.find(([is]) => is(s)); return arm ? run(arm[1], s) : ""; };
		},
		for(rest) {
			const [, name, text] = /^([\w-]+)\s+in\s+([\s\S]+)$/.exec(rest) ?? fail("for needs name in list");
			const reversed = / reversed\b/.test(text);
			const options = {};
			const plain = text.replace(/ reversed\b/, "").replace(/\b(limit|offset)\s*:\s*(\S+)/g, (_, k, v) => { options[k] = value(read(v)); return ""; });
			const over = filtered(read(plain));
			let { nodes, name: end } = parse("else", "endfor");
			let otherwise = [];
			if (end === "else") otherwise = parse("endfor").nodes;
			return (s) => {
				let items = over(s) ?? [];
				if (typeof items === "string") items = items ? [items] : [];
				if (!Array.isArray(items)) items = Object.entries(items);
				const from = Number(options.offset?.(s) ?? 0);
				items = items.slice(from, options.limit ? from + Number(options.limit(s)) : undefined);
				if (reversed) items = [...items].reverse();
				if (!items.length) return run(otherwise, s);
				const before = [s.names[name], s.names.forloop];
				let text = "";
				for (let i = 0; i < items.length; i++) {
					s.names[name] = items[i];
					s.names.forloop = { index: i + 1, index0: i, first: i === 0, last: i === items.length - 1, length: items.length, rindex: items.length - i, rindex0: items.length - i - 1 };
					text += run(nodes, s);
					const { left } = s;
					s.left = "";
					if (left === "break") break;
				}
				[s.names[name], s.names.forloop] = before;
				return text;
			};
		},
		cycle(rest) { const options = rest.split(",").map((text) => value(read(text))); let n = 0; return (s) => show(options[n++ % options.length](s)); },
		increment: (rest) => (s) => show((s.counts[rest] = (s.counts[rest] ?? -1) + 1)),
		decrement: (rest) => (s) => show((s.counts[rest] = (s.counts[rest] ?? 0) - 1)),
		echo: (rest) => output(rest),
		break: () => (s) => { s.left = "break"; return ""; },
		continue: () => (s) => { s.left = "continue"; return ""; },
	};
	// Dates are in UTC; a pattern's - leaves out leading zeros, ^ makes capitals.
	const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
	const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
	const two = (n, fill = "0") => String(n).padStart(2, fill);
	const words = {
		Y: (d) => d.getUTCFullYear(), y: (d) => two(d.getUTCFullYear() % 100), m: (d) => two(d.getUTCMonth() + 1), d: (d) => two(d.getUTCDate()), e: (d) => two(d.getUTCDate(), " "),
		B: (d) => months[d.getUTCMonth()], b: (d) => words.B(d).slice(0, 3), h: (d) => words.b(d), A: (d) => weekdays[d.getUTCDay()], a: (d) => words.A(d).slice(0, 3),
		u: (d) => d.getUTCDay() || 7, w: (d) => d.getUTCDay(), j: (d) => String(Math.floor((d - Date.UTC(d.getUTCFullYear(), 0, 0)) / 864e5)).padStart(3, "0"),
		H: (d) => two(d.getUTCHours()), k: (d) => two(d.getUTCHours(), " "), I: (d) => two(d.getUTCHours() % 12 || 12), l: (d) => two(d.getUTCHours() % 12 || 12, " "),
		M: (d) => two(d.getUTCMinutes()), S: (d) => two(d.getUTCSeconds()), L: (d) => String(d.getUTCMilliseconds()).padStart(3, "0"), s: (d) => Math.floor(d / 1000),
		p: (d) => (d.getUTCHours() < 12 ? "AM" : "PM"), P: (d) => words.p(d).toLowerCase(), z: () => "+0000", Z: () => "UTC", n: () => "\n", t: () => "\t", "%": () => "%",
	};
	for (const [word, pattern] of Object.entries({ F: "%Y-%m-%d", T: "%H:%M:%S", X: "%H:%M:%S", R: "%H:%M", r: "%I:%M:%S %p", D: "%m/%d/%y", x: "%m/%d/%y", c: "%a %b %e %T %Y" })) words[word] = (d) => dated(d, pattern);
	const dated = (d, pattern) => pattern.replace(/%([-^]?)([A-Za-z%])/g, (whole, flag, word) => {
		if (!Object.hasOwn(words, word)) return whole;
		const text = String(words[word](d));
		return flag === "^" ? text.toUpperCase() : flag ? text.replace(/^[0 ]+(?=.)/, "") : text;
	});
	function date(v, pattern = "%A, %B %-e, %Y at %-l:%M %P %z") {
		const text = show(v);
		const d = text === "now" || text === "today" ? new Date() : /^\d+$/.test(text) ? new Date(text * 1000) : new Date(text);
		return isNaN(d) ? v : dated(d, show(pattern));
	}
	const list = (v) => (Array.isArray(v) ? v : v === null || v === undefined ? [] : [v]);
	function withoutTags(text) {
		let left = "";
		for (let at = 0; ;) {
			const open = text.indexOf("<", at), close = open < 0 ? -1 : text.indexOf(">", open);
			if (close < 0) return left + text.slice(at);
			left += text.slice(at, open);
			at = close + 1;
		}
	}
	const html = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
	const filters = {
		json: (v) => JSON.stringify(v ?? null), default: (v, other) => (truthy(v) && show(v) !== "" ? v : other), size: (v) => member(v, "size") ?? 0,
		upcase: (v) => show(v).toUpperCase(), downcase: (v) => show(v).toLowerCase(), capitalize: (v) => show(v).charAt(0).toUpperCase() + show(v).slice(1).toLowerCase(),
		strip: (v) => show(v).trim(), lstrip: (v) => show(v).trimStart(), rstrip: (v) => show(v).trimEnd(), strip_newlines: (v) => show(v).replace(/\r?\n/g, ""),
		newline_to_br: (v) => show(v).replace(/\r?\n/g, "<br />\n"), strip_html: (v) => withoutTags(show(v)),
		escape: (v) => show(v).replace(/[&<>"']/g, (c) => html[c]), url_encode: (v) => encodeURIComponent(show(v)).replace(/%20/g, "+"), url_decode: (v) => decodeURIComponent(show(v).replace(/\+/g, " ")),
		append: (v, s) => show(v) + show(s), prepend: (v, s) => show(s) + show(v),
		replace: (v, a, b = "") => show(v).replaceAll(show(a), () => show(b)), replace_first: (v, a, b = "") => show(v).replace(show(a), () => show(b)),
		remove: (v, a) => show(v).replaceAll(show(a), ""), remove_first: (v, a) => show(v).replace(show(a), ""),
		split: (v, by) => (show(v) === "" ? [] : show(v).split(show(by))), join: (v, by = " ") => list(v).map(show).join(show(by)),
		first: (v) => list(v)[0], last: (v) => list(v).at(-1), reverse: (v) => [...list(v)].reverse(), uniq: (v) => [...new Set(list(v))], compact: (v) => list(v).filter((e) => e !== null && e !== undefined),
		concat: (v, other) => [...list(v), ...list(other)], map: (v, key) => list(v).map((e) => member(e, key)),
		where: (v, key, want) => list(v).filter((e) => (want === undefined ? truthy(member(e, key)) : member(e, key) === want)),
		sort: (v, key) => [...list(v)].sort((a, b) => { const [x, y] = key === undefined ? [a, b] : [member(a, key), member(b, key)]; return x < y ? -1 : x > y ? 1 : 0; }),
		slice: (v, from, n = 1) => { const s = Array.isArray(v) ? v : show(v); const i = from < 0 ? Math.max(0, s.length + from) : from; return s.slice(i, i + n); },
		truncate: (v, n = 50, end = "...") => { const s = show(v); return s.length <= n ? s : s.slice(0, Math.max(0, n - end.length)) + end; },
		truncatewords: (v, n = 15, end = "...") => { const w = show(v).split(/\s+/); return w.length <= n ? show(v) : w.slice(0, n).join(" ") + end; },
		plus: (v, n) => Number(v) + Number(n), minus: (v, n) => Number(v) - Number(n), times: (v, n) => Number(v) * Number(n),
		divided_by: (v, n) => (Number.isInteger(n) ? Math.floor(Number(v) / n) : Number(v) / Number(n)), modulo: (v, n) => Number(v) % Number(n),
		abs: (v) => Math.abs(v), ceil: (v) => Math.ceil(v), floor: (v) => Math.floor(v), round: (v, n = 0) => Number(Number(v).toFixed(n)),
		date, sum: (v, key) => list(v).reduce((all, e) => all + (Number(key === undefined ? e : member(e, key)) || 0), 0),
		sort_natural: (v, key) => [...list(v)].sort((a, b) => { const [x, y] = [a, b].map((e) => show(key === undefined ? e : member(e, key)).toLowerCase()); return x < y ? -1 : x > y ? 1 : 0; }),
		group_by: (v, key) => {
			const groups = new Map();
			for (const e of list(v)) {
				const name = member(e, key);
				if (groups.has(name)) groups.get(name).push(e); else groups.set(name, [e]);
			}
			return [...groups].map(([name, items]) => ({ name, items }));
		},
		escape_once: (v) => show(v).replace(/&(?!(?:\w+|#\d+);)|[<>"']/g, (c) => html[c]),
		at_least: (v, n) => Math.max(v, n), at_most: (v, n) => Math.min(v, n),
	};
	const { nodes } = parse();
	const names = typeof data === "object" && data !== null && !Array.isArray(data) ? { ...data } : {};
	if (!Object.hasOwn(names, "data")) names.data = data;
	return run(nodes, { names, counts: { __proto__: null }, left: "" });
}
