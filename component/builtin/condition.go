package builtin

import (
	"context"
	"slices"
	"strings"

	"heddle/component/value"
	"heddle/domain/refusal"
)

// arity is the number of operands of the conditions' operators; -1 for and and or, which take conditions.
var arity = map[string]int{
	"and": -1, "or": -1,
	"isTrue": 1, "isFalse": 1, "exists": 1, "doesNotExist": 1, "isEmpty": 1, "isNotEmpty": 1,
	"equal": 2, "notEqual": 2, "exactlyMatches": 2, "doesNotExactlyMatch": 2,
	"greaterThan": 2, "greaterThanOrEqual": 2, "lessThan": 2, "lessThanOrEqual": 2,
	"in": 2, "notIn": 2, "startsWith": 2, "doesNotStartWith": 2, "endsWith": 2, "doesNotEndWith": 2,
	"dateTimeAfter": 2, "dateTimeBefore": 2, "dateTimeSame": 2,
}

// checkCondition refuses a malformed condition, even in parts that would never be evaluated.
func checkCondition(condition any, depth int) error {
	if depth > value.MaxDepth {
		return refusal.ForField(refusal.Invalid, "conditions",
			"conditions are nested deeper than %d levels", value.MaxDepth)
	}
	list, ok := condition.([]any)
	if !ok || len(list) == 0 {
		return refusal.ForField(refusal.Invalid, "conditions", "a condition is a list that begins with an operator")
	}
	operator, _ := list[0].(string)
	n, known := arity[operator]
	switch {
	case !known:
		return refusal.ForField(refusal.Invalid, "conditions", "%q is no operator of conditions", value.Text(list[0]))
	case n > len(list)-1:
		return refusal.ForField(refusal.Invalid, "conditions", "%s takes %s, not %d", operator,
			refusal.Count(n, "operand"), len(list)-1)
	case n > 0:
		return nil
	}
	for _, part := range list[1:] {
		if err := checkCondition(part, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// holds evaluates a checked condition. and and or stop early, and operands that they do not need are not
// resolved.
func holds(ctx context.Context, condition any) (bool, error) {
	list := condition.([]any)
	operator := list[0].(string)
	if arity[operator] < 0 {
		for _, part := range list[1:] {
			if is, err := holds(ctx, part); err != nil || is == (operator == "or") {
				return is, err
			}
		}
		return operator == "and", nil
	}
	operands := make([]any, arity[operator]) // a unary operator may come with a second operand, which is ignored
	for i := range operands {
		var err error
		if operands[i], err = operand(list[i+1]); err != nil {
			return false, err
		}
	}
	budget := value.NewBudget(ctx) // each test has its own: its memory is free when it ends
	test := func() (bool, error) { return testOne(budget, operator, operands[0]) }
	if len(operands) == 2 {
		test = func() (bool, error) { return testTwo(budget, operator, operands[0], operands[1]) }
	}
	is, err := test()
	if over := budget.Err(); over != nil {
		return false, over
	}
	return is, err
}

func operand(v any) (any, error) {
	if wait, ok := v.(value.Operand); ok {
		var err error
		if v, err = wait(); err != nil {
			return nil, err
		}
	}
	if b, ok := v.([]byte); ok {
		return string(b), nil
	}
	return v, nil
}

func testOne(budget *value.Budget, operator string, raw any) (bool, error) {
	v := unquoted(budget, raw)
	switch operator {
	case "isTrue":
		return isTrue(v), nil
	case "isFalse":
		return !isTrue(v), nil
	case "exists":
		return value.Truthy(v), nil
	case "doesNotExist":
		return !value.Truthy(v), nil
	}
	length := 0
	switch x := v.(type) {
	case []any:
		length = len(x)
	default:
		text, isText := raw.(string) // as it was: "123" is text here
		if !isText {
			return false, refusal.ForField(refusal.Invalid, "conditions",
				"%s takes a list or text, not %s; test with exists first", operator, shape(v))
		}
		length = len(text)
	}
	return (length == 0) == (operator == "isEmpty"), nil
}

func isTrue(v any) bool {
	if text, ok := v.(string); ok {
		switch strings.ToLower(text) {
		case "t", "true", "y", "yes":
			return true
		case "f", "false", "n", "no":
			return false
		}
	}
	return value.Truthy(v)
}

// negated maps each negative operator to its positive one.
var negated = map[string]string{
	"notEqual": "equal", "doesNotExactlyMatch": "exactlyMatches", "notIn": "in",
	"doesNotStartWith": "startsWith", "doesNotEndWith": "endsWith",
}

func testTwo(budget *value.Budget, operator string, rawLeft, rawRight any) (bool, error) {
	if opposite, ok := negated[operator]; ok {
		is, err := testTwo(budget, opposite, rawLeft, rawRight)
		return err == nil && !is, err
	}
	left, right := unquoted(budget, rawLeft), unquoted(budget, rawRight)
	switch operator {
	case "equal":
		return value.LooseEqual(left, right), nil
	case "exactlyMatches":
		return value.StrictEqual(left, right), nil
	case "in":
		return contains(right, rawLeft, left)
	case "startsWith":
		return strings.HasPrefix(value.LooseText(right), value.LooseText(left)), nil
	case "endsWith":
		return strings.HasSuffix(value.LooseText(right), value.LooseText(left)), nil
	case "dateTimeAfter", "dateTimeBefore", "dateTimeSame":
		return compareTimes(operator, left, right)
	}
	switch operator {
	case "greaterThan", "lessThanOrEqual":
		left, right = right, left
	}
	less, ordered := value.LooseLess(left, right)
	return ordered && less == (operator == "lessThan" || operator == "greaterThan"), nil
}

// contains looks for an element, as it is and read as JSON.
func contains(container, raw, read any) (bool, error) {
	switch x := container.(type) {
	case string:
		return strings.Contains(x, value.LooseText(raw)), nil
	case []any:
		return slices.ContainsFunc(x, func(element any) bool {
			return identical(element, raw) || identical(element, read)
		}), nil
	case map[string]any:
		_, has := x[value.LooseText(raw)]
		return has, nil
	}
	return false, refusal.ForField(refusal.Invalid, "conditions",
		"in looks into text, a list or an object, not into %s", shape(container))
}

// identical compares as JavaScript does when it looks for an element: a list or an object is only identical to
// itself.
func identical(a, b any) bool {
	switch a.(type) {
	case []any, map[string]any, []value.KeyValue:
		return false
	}
	return value.StrictEqual(a, b)
}

func compareTimes(operator string, left, right any) (bool, error) {
	a, err := timeOf("conditions", left)
	if err != nil {
		return false, err
	}
	b, err := timeOf("conditions", right)
	if err != nil {
		return false, err
	}
	switch operator {
	case "dateTimeAfter":
		return a.After(b), nil
	case "dateTimeBefore":
		return a.Before(b), nil
	}
	return a.Equal(b), nil
}
