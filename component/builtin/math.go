package builtin

import (
	"context"
	"math"
	"math/rand/v2"
	"regexp"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// The keys of actions and inputs that occur in definitions are as there; others follow JavaScript's Math.
func init() {
	var actions []component.Action
	for _, f := range mathFunctions {
		actions = append(actions, component.NewAction(f.key, f.label, f.doc+" A result that is no number is null.",
			pure(func(_ *value.Budget, in numberInputs) (any, error) {
				return finite(f.do(in.Number)), nil
			})))
	}
	for _, f := range mathOfLists {
		actions = append(actions, component.NewAction(f.key, f.label, f.doc+" Text that is a number counts as one.",
			pure(func(budget *value.Budget, in numbersInputs) (any, error) {
				all, err := in.all(budget)
				if err != nil || len(all) == 0 {
					return finite(f.empty), err
				}
				value := all[0]
				for _, n := range all[1:] {
					value = f.do(value, n)
				}
				return finite(value), nil
			})))
	}
	register(component.Component{
		Key: "math", Label: "Math", Category: "Data", Description: "Computes with numbers.",
		Actions: append(actions,
			component.NewAction("evaluate", "Evaluate expression",
				"Gives what an expression such as 2 * (3 + 7) ** 2 comes to by the rules of JavaScript. It may hold numbers, operators, parentheses, and functions and constants such as Math.max. A result that is no number is null.",
				evaluate),
			component.NewAction("log", "Logarithm", "Gives the logarithm of a number to a base.",
				pure(func(_ *value.Budget, in logInputs) (any, error) {
					return finite(math.Log(in.Number) / math.Log(in.Base)), nil
				})),
			component.NewAction("pow", "Power", "Gives a number to the power of another.",
				pure(func(_ *value.Budget, in powInputs) (any, error) {
					return finite(math.Pow(in.Base, in.Exponent)), nil
				})),
			component.NewAction("random", "Random number",
				"Gives a number from the least up to, but not including, the greatest.",
				pure(func(_ *value.Budget, in rangeInputs) (any, error) {
					return in.Min + rand.Float64()*(in.Max-in.Min), in.check()
				})),
			component.NewAction("randomInt", "Random integer", "Gives a whole number from the least to the greatest.",
				pure(randomInt)),
		),
	})
}

type numberInputs struct {
	Number float64 `key:"number" label:"Number" required:"true" doc:"The number."`
}

type numbersInputs struct {
	Numbers any `key:"numbers" label:"Numbers" type:"list" doc:"The numbers. A single one that is a list gives that list."`
	Dynamic any `key:"dynamicNumbers" label:"Dynamic numbers" doc:"A list of numbers, or the JSON text of one. If it is not empty, the numbers above are ignored."`
}

type logInputs struct {
	numberInputs
	Base float64 `key:"base" label:"Exponent base" default:"10" doc:"The base."`
}

type powInputs struct {
	Base     float64 `key:"base" label:"Base" required:"true" doc:"The base."`
	Exponent float64 `key:"exponent" label:"Exponent" required:"true" doc:"The exponent."`
}

type expressionInputs struct {
	Expression string `key:"expression" label:"Expression" required:"true" doc:"The expression."`
}

type rangeInputs struct {
	Min float64 `key:"min" label:"Min" required:"true" doc:"The least."`
	Max float64 `key:"max" label:"Max" required:"true" doc:"The greatest."`
}

func (in rangeInputs) check() error {
	if in.Min > in.Max {
		return refusal.ForField(refusal.Invalid, "max", "Max must not be less than min")
	}
	return nil
}

func randomInt(_ *value.Budget, in rangeInputs) (any, error) {
	if in.Min != math.Trunc(in.Min) || in.Max != math.Trunc(in.Max) || in.Max-in.Min >= 1<<53 {
		return nil, refusal.ForField(refusal.Invalid, "min", "Min and max must be whole numbers less than 2^53 apart")
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	return in.Min + float64(rand.Int64N(int64(in.Max-in.Min)+1)), nil
}

func (in numbersInputs) all(budget *value.Budget) ([]float64, error) {
	from := in.Numbers
	if in.Dynamic != nil && in.Dynamic != "" {
		from = in.Dynamic
	}
	if from == nil || from == "" {
		return nil, nil
	}
	list, err := listOf(budget, "numbers", from)
	if err != nil {
		return nil, err
	}
	return floats(budget, "numbers", onlyList(list))
}

// longestExpression is far more than anybody writes by hand.
const longestExpression = 10_000

// arithmetic is an expression that does nothing but compute.
var arithmetic = regexp.MustCompile(
	`^(?:\s|0[xX][0-9a-fA-F]+\b|0[bB][01]+\b|0[oO][0-7]+\b|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|Math\.\w+\b|[-+*/%()<>&|^~,])*$`)

const evaluateScript = `(expression) => {
	const value = (0, eval)("(" + expression + "\n)");
	if (typeof value !== "number") throw new TypeError("the expression gives no number");
	return value;
}`

func evaluate(ctx context.Context, step component.Step, in expressionInputs) (component.Result, error) {
	if len(in.Expression) > longestExpression {
		return component.Result{}, refusal.ForField(refusal.Invalid, "expression",
			"Expression may have %d bytes, not %d", longestExpression, len(in.Expression))
	}
	if !arithmetic.MatchString(in.Expression) {
		return component.Result{}, refusal.ForField(refusal.Invalid, "expression",
			"Expression may hold numbers, operators, parentheses and functions of Math, not %q",
			excerpt(in.Expression, 200))
	}
	value, err := step.Script(ctx, component.ScriptCall{Source: evaluateScript, Args: []any{in.Expression},
		Log: step.Log})
	return component.Result{Data: value}, err
}

// finite returns null for a number that JSON does not have.
func finite(n float64) any {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return nil
	}
	return n
}

var mathFunctions = []struct {
	key, label, doc string
	do              func(float64) float64
}{
	{"abs", "Absolute value", "Gives a number without its sign.", math.Abs},
	{"acos", "Arccosine", "Gives the arccosine in radians.", math.Acos},
	{"acosh", "Hyperbolic arccosine", "Gives the hyperbolic arccosine.", math.Acosh},
	{"asin", "Arcsine", "Gives the arcsine in radians.", math.Asin},
	{"asinh", "Hyperbolic arcsine", "Gives the hyperbolic arcsine.", math.Asinh},
	{"atan", "Arctangent", "Gives the arctangent in radians.", math.Atan},
	{"atanh", "Hyperbolic arctangent", "Gives the hyperbolic arctangent.", math.Atanh},
	{"cbrt", "Cube root", "Gives the cube root.", math.Cbrt},
	{"ceil", "Ceiling", "Rounds up to a whole number.", math.Ceil},
	{"cos", "Cosine", "Gives the cosine of radians.", math.Cos},
	{"cosh", "Hyperbolic cosine", "Gives the hyperbolic cosine.", math.Cosh},
	{"exp", "e^x", "Gives e to the power of a number.", math.Exp},
	{"floor", "Floor", "Rounds down to a whole number.", math.Floor},
	{"fround", "Float-round", "Rounds to single precision.", func(n float64) float64 { return float64(float32(n)) }},
	{"naturalLog", "Natural log", "Gives the natural logarithm.", math.Log},
	{"round", "Round", "Rounds to the nearest whole number; halves go up.", func(n float64) float64 {
		return math.Floor(n) + math.Floor(2*(n-math.Floor(n)))
	}},
	{"sin", "Sine", "Gives the sine of radians.", math.Sin},
	{"sinh", "Hyperbolic sine", "Gives the hyperbolic sine.", math.Sinh},
	{"sqrt", "Square root", "Gives the square root.", math.Sqrt},
	{"tan", "Tangent", "Gives the tangent of radians.", math.Tan},
	{"tanh", "Hyperbolic tangent", "Gives the hyperbolic tangent.", math.Tanh},
	{"trunc", "Truncate number", "Leaves out the digits behind the point.", math.Trunc},
}

var mathOfLists = []struct {
	key, label, doc string
	empty           float64 // the result for no numbers
	do              func(a, b float64) float64
}{
	{"add", "Add numbers", "Adds numbers.", 0, func(a, b float64) float64 { return a + b }},
	{"subtract", "Subtract numbers", "Takes all further numbers from the first.", 0, func(a, b float64) float64 {
		return a - b
	}},
	{"multiply", "Multiply numbers", "Multiplies numbers.", 1, func(a, b float64) float64 { return a * b }},
	{"divide", "Divide numbers", "Divides the first number by all further ones; null if one of them is 0.", math.NaN(),
		func(a, b float64) float64 { return a / b }},
	{"max", "Maximum", "Gives the greatest of numbers, null if there are none.", math.NaN(), math.Max},
	{"min", "Minimum", "Gives the least of numbers, null if there are none.", math.NaN(), math.Min},
	{"hypot", "Hypotenuse", "Gives the square root of the sum of the numbers' squares.", 0, math.Hypot},
}
