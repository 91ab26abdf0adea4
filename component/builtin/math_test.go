package builtin

import "testing"

func TestMath(t *testing.T) {
	n := func(v any) map[string]any { return in("number", v) }
	list := func(v ...any) map[string]any { return in("numbers", v) }
	try(t, "math", []row{
		{"add", list("1", 2.5, -1.0), 2.5, ""},
		{"add", list("007", ".5", "+0x10", " 1. "), nil, `element 2 is "+0x10", not a number`}, // as JavaScript has it
		{"add", list("007", ".5", "0x10", " 1. "), 24.5, ""},
		{"add", list([]any{1.0, "2"}), 3.0, ""},
		{"add", list(""), nil, `element 0 is "", not a number`},
		{"add", list(), 0.0, ""},
		{"add", in("numbers", ""), 0.0, ""},
		{"add", list("x"), nil, `numbers: element 0 is "x", not a number`},
		{"add", in("numbers", 5.0), nil, "a list is needed"},
		{"subtract", list(5.0, 2.0, 1.0), 2.0, ""},
		{"multiply", list(5.0, "2"), 10.0, ""},
		{"divide", list(9.0, 2.0), 4.5, ""},
		{"divide", list(9.0, 0.0), nil, ""},
		{"max", in("numbers", []any{1.0}, "dynamicNumbers", "[3, 9]"), 9.0, ""},
		{"max", list(), nil, ""},
		{"min", list(3.0, -9.0), -9.0, ""},
		{"hypot", list(3.0, 4.0), 5.0, ""},
		{"abs", n("-2"), 2.0, ""},
		{"abs", n("two"), nil, "must be a number"},
		{"abs", n(""), nil, "Number is required"},
		{"ceil", n(1.2), 2.0, ""}, {"floor", n(-1.2), -2.0, ""}, {"trunc", n(-1.7), -1.0, ""},
		{"round", n(2.5), 3.0, ""}, {"round", n(-2.5), -2.0, ""}, {"round", n(0.49999999999999994), 0.0, ""},
		{"fround", n(5.5), 5.5, ""}, {"cbrt", n(27.0), 3.0, ""}, {"sqrt", n(-1.0), nil, ""}, {"sqrt", n(9.0), 3.0, ""},
		{"exp", n(0.0), 1.0, ""}, {"naturalLog", n(1.0), 0.0, ""}, {"naturalLog", n(0.0), nil, ""},
		{"sin", n(0.0), 0.0, ""}, {"cos", n(0.0), 1.0, ""}, {"tan", n(0.0), 0.0, ""}, {"asin", n(0.0), 0.0, ""},
		{"acos", n(1.0), 0.0, ""}, {"atan", n(0.0), 0.0, ""}, {"sinh", n(0.0), 0.0, ""}, {"cosh", n(0.0), 1.0, ""},
		{"tanh", n(0.0), 0.0, ""}, {"asinh", n(0.0), 0.0, ""}, {"acosh", n(1.0), 0.0, ""}, {"atanh", n(0.0), 0.0, ""},
		{"log", in("number", 8.0, "base", "2"), 3.0, ""}, {"log", in("number", 100.0, "base", ""), 2.0, ""},
		{"pow", in("base", "2", "exponent", "10"), 1024.0, ""},
		{"random", in("min", 2.0, "max", 2.0), 2.0, ""},
		{"random", in("min", 2.0, "max", 1.0), nil, "Max must not be less"},
		{"randomInt", in("min", 7.0, "max", 7.0), 7.0, ""},
		{"randomInt", in("min", 7.5, "max", 8.0), nil, "whole numbers"},
		{"randomInt", in("min", 2.0, "max", 1.0), nil, "Max must not be less"},
		{"evaluate", in("expression", "Math.toMath.constructor"), nil, "may hold numbers"},
		// the rest is tested with the script engine
		{"evaluate", in("expression", "process.exit()"), nil, "may hold numbers"},
	})
}
