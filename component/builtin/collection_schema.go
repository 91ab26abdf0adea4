package builtin

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"heddle/component/value"
	"heddle/domain/refusal"
)

type schemaInputs struct {
	JSON   any `key:"jsonInput" label:"JSON object" doc:"The value to check, or JSON text."`
	Schema any `key:"jsonSchema" label:"JSON schema" type:"code" required:"true" doc:"A JSON Schema of draft 4 to 2020-12. It may refer to parts of itself and nowhere else."`
}

// readsNothing is the loader of schemas: a schema comes from an input and must not reach elsewhere.
type readsNothing struct{}

func (readsNothing) Load(string) (any, error) {
	return nil, errors.New("a schema may refer to itself only")
}

const (
	findingBytes  = 250 // held for each invalid value, besides its place
	findingsShown = 20
	findingsText  = 900 // characters of all of them, of up to four bytes each
)

func validateSchema(budget *value.Budget, in schemaInputs) (any, error) {
	schema, _, err := plainJSON(budget, "jsonSchema", in.Schema)
	if err != nil {
		return nil, err
	}
	val, size, err := plainJSON(budget, "jsonInput", in.JSON)
	if err == nil {
		err = budget.Hold(size.Values * (findingBytes + size.Depth*value.TextBytes))
	}
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(readsNothing{})
	compiler.RegisterVocabulary(watch(budget))
	compiler.AssertVocabs()
	const place = "schema.json"
	if err := compiler.AddResource(place, schema); err != nil {
		return nil, refusal.ForField(refusal.Invalid, "jsonSchema", "%s", excerpt(err.Error(), 500))
	}
	compiled, err := compiler.Compile(place)
	if err != nil {
		return nil, refusal.ForField(refusal.Invalid, "jsonSchema", "%s", excerpt(err.Error(), 500))
	}
	if err := validated(compiled, val); err != nil {
		return nil, err
	}
	return unquoted(budget, in.JSON), nil
}

// validated lists the places where a value is invalid.
func validated(schema *jsonschema.Schema, value any) (err error) {
	defer func() {
		if p := recover(); p != nil && p != errWatched {
			panic(p)
		}
	}()
	failed := schema.Validate(value)
	if failed == nil {
		return nil
	}
	if finding, ok := errors.AsType[*jsonschema.ValidationError](failed); ok {
		shorten(finding, findingsShown)
	}
	_, findings, _ := strings.Cut(failed.Error(), "\n") // the first line names the schema
	return refusal.ForField(refusal.Invalid, "jsonInput",
		"the value does not fit the schema:\n%s", excerpt(findings, findingsText))
}

// shorten keeps the first n findings, and returns how many more there may be.
func shorten(finding *jsonschema.ValidationError, n int) int {
	if len(finding.Causes) == 0 {
		return n - 1
	}
	for i, cause := range finding.Causes {
		if n == 0 {
			finding.Causes = finding.Causes[:i]
			break
		}
		n = shorten(cause, n)
	}
	return n
}

// errWatched ends a validation whose budget refuses.
var errWatched = errors.New("the validation was ended")

// watch is a vocabulary without words that ends the validator, which knows no context: each part of a schema
// that is validated asks the budget. A schema that refers to itself twice can take longer than anybody waits.
func watch(budget *value.Budget) *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL: "heddle:watch",
		Compile: func(*jsonschema.CompilerContext, map[string]any) (jsonschema.SchemaExt, error) {
			return watcher{budget}, nil
		},
	}
}

type watcher struct{ budget *value.Budget }

// Validate implements [jsonschema.SchemaExt].
func (w watcher) Validate(*jsonschema.ValidatorContext, any) {
	if w.budget.Spend(watchCost) != nil {
		panic(errWatched)
	}
}

// watchCost is the cost of one part of a schema in bytes of the budget.
const watchCost = 256

// plainJSON returns a value, or the JSON in a text, in the validator's form: with numbers as written.
func plainJSON(budget *value.Budget, field string, v any) (any, value.Measure, error) {
	text, isText := v.(string)
	if !isText || !json.Valid([]byte(text)) {
		raw, err := budget.JSON(v)
		if err != nil {
			return nil, value.Measure{}, inField(budget, field, err)
		}
		text = string(raw)
	}
	raw := []byte(text)
	if err := budget.AllowJSON(raw); err != nil {
		return nil, value.Measure{}, err
	}
	val, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, value.Measure{}, refusal.ForField(refusal.Invalid, field, "%v", err)
	}
	return shortNumbers(val), value.MeasureJSON(raw), nil
}

// inField adds the field whose value has no JSON to an error.
func inField(budget *value.Budget, field string, err error) error {
	if over := budget.Err(); over != nil {
		return over
	}
	return refusal.ForField(refusal.Invalid, field, "%v", err)
}

// shortNumbers converts numbers that no float64 holds as other steps do: the validator computes exactly, and
// 1e999999 has a million digits.
func shortNumbers(v any) any {
	switch x := v.(type) {
	case json.Number:
		n, _ := strconv.ParseFloat(string(x), 64) // too large a number is infinite
		switch {
		case math.IsInf(n, 0):
			return json.Number(strconv.FormatFloat(math.Copysign(math.MaxFloat64, n), 'g', -1, 64))
		case n == 0:
			return json.Number("0")
		case len(x) > 40:
			return json.Number(strconv.FormatFloat(n, 'g', -1, 64))
		}
	case []any:
		for i := range x {
			x[i] = shortNumbers(x[i])
		}
	case map[string]any:
		for key := range x {
			x[key] = shortNumbers(x[key])
		}
	}
	return v
}
