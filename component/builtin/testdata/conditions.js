// Makes conditions.json: what a JavaScript engine says about each operator of conditions for pairs of
// values of every kind: t, f, or e for an error. Run it with node in this folder.
const values = [
	null, true, false, 0, -0, 1, -1, 2, 5, 5.2, 10, 1e21, 123, '', ' ', '0', '1', '2', '5', '5.0', '5.2', ' 5 ', '10', '010', '0x10', '-0x10', '0b101', '1e3', '.5', '5.', '+5',
	'1e999', '-1e999', 'Infinity', 'infinity', 'NaN', '1_000', 'true', 'false', 'True', 'YES', 'n', 'F', 't', 'null', 'undefined', 'a', 'b', 'A', 'ab', 'abc', 'é', '😀', '\uffee', '\ufeff5', '\u00855', '\u00a05',
	'"a"', '"5"', '[]', '[1]', '["1"]', '[1,2,3]', '["a","b"]', '{}', '{"a":1}', '{"a":"1"}', '[object Object]', '1,2,3', ',x', '{"a":1', '[[1]]', '{"5":0}',
	[], [null], [0], [1], ['1'], [1, 2, 3], ['1', '2', '3'], ['a', 'b'], [[1]], [['1']], [true], [null, 'x'], [{ a: 1 }],
	{}, { a: 1 }, { a: '1' }, { a: null }, { a: 0 }, { b: 1 }, { a: 1, b: 2 }, { b: 2, a: 1 }, { a: { b: [1] } }, { a: { b: ['1'] } }, { 5: 0 }, { null: 1 }, { '1,2,3': 1 },
];

const read = (v) => { try { return typeof v === 'string' ? JSON.parse(v) : v; } catch { return v; } };
const compound = (v) => typeof v === 'object' && v !== null;

// same compares by content; leaf compares what is no list and no object.
function same(a, b, leaf) {
	if (!compound(a) || !compound(b)) return compound(a) || compound(b) ? false : leaf(a, b);
	if (Array.isArray(a) !== Array.isArray(b)) return false;
	const [x, y] = [Object.keys(a), Object.keys(b)];
	return x.length === y.length && x.every((k) => Object.hasOwn(b, k) && same(a[k], b[k], leaf));
}

const exact = (a, b) => Object.is(a, b) || a === b;
const find = (a, raw, b) => {
	if (typeof b === 'string') return b.includes(`${raw}`);
	if (Array.isArray(b)) return b.includes(raw) || b.includes(read(raw));
	if (compound(b)) return Object.hasOwn(b, `${raw}`);
	throw new Error('no container');
};
const affirmed = (v) => {
	const word = typeof v === 'string' ? v.toLowerCase() : '';
	return ['t', 'true', 'y', 'yes'].includes(word) ? true : ['f', 'false', 'n', 'no'].includes(word) ? false : !!v;
};
const missing = (v) => [undefined, null, 0, NaN, false, ''].includes(v);
const length = (v, raw) => {
	if (Array.isArray(v)) return v.length;
	if (typeof raw === 'string') return raw.length;
	throw new Error('no length');
};

const unary = {
	isTrue: (v) => affirmed(v), isFalse: (v) => !affirmed(v), exists: (v) => !missing(v), doesNotExist: (v) => missing(v),
	isEmpty: (v, raw) => length(v, raw) === 0, isNotEmpty: (v, raw) => length(v, raw) > 0,
};
const binary = {
	equal: (a, b) => a == b || same(a, b, (x, y) => (x === null || y === null ? x === y : x == y)),
	exactlyMatches: (a, b) => same(a, b, exact),
	greaterThan: (a, b) => a > b, greaterThanOrEqual: (a, b) => a >= b, lessThan: (a, b) => a < b, lessThanOrEqual: (a, b) => a <= b,
	in: (a, b, raw) => find(a, raw, b),
	startsWith: (a, b) => `${b}`.startsWith(`${a}`), endsWith: (a, b) => `${b}`.endsWith(`${a}`),
};
const negations = { notEqual: 'equal', doesNotExactlyMatch: 'exactlyMatches', notIn: 'in', doesNotStartWith: 'startsWith', doesNotEndWith: 'endsWith' };
for (const [name, of] of Object.entries(negations)) binary[name] = (...args) => !binary[of](...args);

const attempt = (f) => { try { return f(); } catch { return 'error'; } };
const codes = (results) => results.map((r) => (r === 'error' ? 'e' : r ? 't' : 'f')).join('');
const table = { values, unary: {}, binary: {} };
for (const [name, f] of Object.entries(unary)) table.unary[name] = codes(values.map((v) => attempt(() => f(read(v), v))));
for (const [name, f] of Object.entries(binary)) {
	// One string for each left value, one letter in it for each right value.
	table.binary[name] = values.map((l) => codes(values.map((r) => attempt(() => f(read(l), read(r), l)))));
}
require('fs').writeFileSync('conditions.json', JSON.stringify(table, null, '\t') + '\n');
