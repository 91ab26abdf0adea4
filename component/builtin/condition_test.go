package builtin

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// branchOn runs branchOnExpression with one branch of that condition.
func branchOn(t *testing.T, condition any) (component.Result, error) {
	t.Helper()
	return branchOnExpression(t.Context(), newStep(t),
		branchOnExpressionInputs{Conditions: []value.KeyValue{{Key: "Then", Value: condition}}})
}

// judge evaluates a condition to a letter of the table.
func judge(t *testing.T, condition ...any) byte {
	t.Helper()
	result, err := branchOn(t, condition)
	switch {
	case refusal.CodeOf(err) == refusal.Invalid:
		return 'e'
	case err != nil:
		t.Fatal(err)
	case result.Branch == "Then":
		return 't'
	}
	return 'f'
}

// The table was made by a JavaScript engine, see testdata/conditions.js.
func TestConditionsAsInJavaScript(t *testing.T) {
	var table struct {
		Values []any
		Unary  map[string]string
		Binary map[string][]string
	}
	data, err := os.ReadFile("testdata/conditions.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Unary)+len(table.Binary)+len([]string{"and", "or", "dateTimeAfter", "dateTimeBefore",
		"dateTimeSame"}) != len(arity) {
		t.Error("the table does not have all operators")
	}
	lazy := func(v any) value.Operand { return func() (any, error) { return v, nil } }
	for operator, want := range table.Unary {
		for i, v := range table.Values {
			if got := judge(t, operator, lazy(v)); got != want[i] {
				t.Errorf("%s %#v: got %c, want %c", operator, v, got, want[i])
			}
		}
	}
	for operator, rows := range table.Binary {
		for i, left := range table.Values {
			for j, right := range table.Values {
				if got := judge(t, operator, lazy(left), lazy(right)); got != rows[i][j] {
					t.Errorf("%#v %s %#v: got %c, want %c", left, operator, right, got, rows[i][j])
				}
			}
		}
	}
}

func TestConditionsDates(t *testing.T) {
	for _, c := range []struct {
		operator    string
		left, right any
		want        byte
	}{
		{"dateTimeAfter", "2026-01-02", "2026-01-01T23:59:59.999Z", 't'},
		{"dateTimeAfter", "2026-01-01", "2026-01-01", 'f'},
		{"dateTimeBefore", "2026-01-01T12:00:00+02:00", "2026-01-01T10:30", 't'},
		{"dateTimeSame", "2026-01-01T12:00:00+02:00", "2026-01-01 10:00:00Z", 't'},
		{"dateTimeSame", 1767225600.0, "2026-01-01", 't'}, // a number is of seconds
		{"dateTimeSame", "1767225600.5", "2026-01-01T00:00:00.500Z", 't'},
		{"dateTimeSame", "2021-03-20T12:50:30Z", 1616244630000.0, 't'}, // or, this large, of milliseconds
		{"dateTimeAfter", "2021-03-20", 1631568050.0, 'f'},
		{"dateTimeSame", "5138-11-16T09:46:39Z", 99999999999.0, 't'},
		{"dateTimeSame", "1973-03-03T09:46:40Z", 100000000000.0, 't'},
		{"dateTimeSame", "soon", "2026-01-01", 'e'},
		{"dateTimeSame", "2026-01-01", nil, 'e'},
		{"dateTimeSame", "2026-02-30", "2026-02-30", 'e'},
		{"dateTimeAfter", "1e300", "2026-01-01", 'e'},
		{"dateTimeAfter", []any{}, "2026-01-01", 'e'},
	} {
		if got := judge(t, c.operator, c.left, c.right); got != c.want {
			t.Errorf("%v %s %v: got %c", c.left, c.operator, c.right, got)
		}
	}
}

func TestConditionsStopEarly(t *testing.T) {
	boom := errors.New("boom")
	fails := []any{"isTrue", value.Operand(func() (any, error) { return nil, boom })}
	yes, no := []any{"isTrue", true, ""}, []any{"isTrue", "no"}
	for name, c := range map[string]struct {
		condition []any
		want      string
	}{
		"and":             {[]any{"and", no, fails}, "Else"},
		"or":              {[]any{"or", yes, fails}, "Then"},
		"nested":          {[]any{"or", []any{"and", yes, no, fails}, []any{"and", yes, yes}}, "Then"},
		"empty and":       {[]any{"and"}, "Then"},
		"empty or":        {[]any{"or"}, "Else"},
		"bytes":           {[]any{"equal", []byte("5"), "5"}, "Then"},
		"keys and values": {[]any{"isNotEmpty", []value.KeyValue{{Key: "a"}}}, "Then"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := branchOn(t, c.condition)
			if got.Branch != c.want || got.Data != c.want || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if _, err := branchOn(t, []any{"and", yes, fails}); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
}

func TestBranchOnExpressionOrder(t *testing.T) {
	conditions := []value.KeyValue{
		{Key: "A", Value: []any{"isTrue", false}}, {Key: "B", Value: []any{"isTrue", true}},
		{Key: "C", Value: []any{"isTrue", true}},
	}
	got, err := newStep(t).perform("branch", "branchOnExpression", map[string]any{"conditions": conditions})
	if got.Branch != "B" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = newStep(t).perform("branch", "branchOnExpression", map[string]any{"conditions": []any{}})
	if got.Branch != "Else" || err != nil {
		t.Errorf("without branches: got %v, %v", got, err)
	}
}

func TestBranchOnExpressionRefuses(t *testing.T) {
	for want, condition := range map[string]any{
		"a condition is a list that begins with an operator": "and",
		"a condition is a list that begins":                  []any{},
		// though it is never evaluated
		`"xor" is no operator`:                         []any{"or", []any{"isTrue", true}, []any{"xor"}},
		"equal takes 2 operands, not 1":                []any{"equal", 1.0},
		"isEmpty takes a list or text, not nothing":    []any{"isEmpty", nil},
		"in looks into text, a list or an object, not": []any{"in", "a", nil},
	} {
		_, err := branchOn(t, condition)
		if refusal.CodeOf(err) != refusal.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
