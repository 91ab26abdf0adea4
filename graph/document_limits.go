package graph

import (
	"context"
	"math"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"

	"heddle/app/access"
	"heddle/domain/refusal"
)

// documentLimits refuses documents that cost more than they weigh, before what they cost is spent, and lets only
// those with a valid token look at the schema itself. It stands in for gqlgen's own limit of complexity,
// which follows fragments that spread each other however often that is: 30 of them keep it busy for
// minutes.
type documentLimits struct{ Options }

var _ interface {
	graphql.OperationParameterMutator
	graphql.OperationContextMutator
	graphql.HandlerExtension
} = documentLimits{}

// ExtensionName implements [graphql.HandlerExtension].
func (documentLimits) ExtensionName() string { return "Shield" }

// Validate implements [graphql.HandlerExtension].
func (documentLimits) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements [graphql.OperationParameterMutator]: it looks before anything is
// parsed or coerced.
func (s documentLimits) MutateOperationParameters(_ context.Context, params *graphql.RawParams) *gqlerror.Error {
	if repeats(params.Query, s.MaxTokens) > s.MaxRepeats {
		return s.exceeded("HEDDLE_MAX_REPEATS", "the document has one name more than %s",
			refusal.Count(s.MaxRepeats, "time")).Errors[0]
	}
	if left := s.MaxVariables; !within(params.Variables, &left) {
		return s.exceeded("HEDDLE_MAX_VARIABLES", "the variables have more than %s",
			refusal.Count(s.MaxVariables, "value")).Errors[0]
	}
	return nil
}

// repeats returns how often a document has the name that it has most often. Validation compares all fields
// of one name with each other: the time grows with the square of their number. It is 0 for what the
// parser refuses: too many tokens, or none.
func repeats(document string, tokens int) (most int) {
	counts := map[string]int{}
	for words := lexer.New(&ast.Source{Input: document}); tokens >= 0; tokens-- {
		word, err := words.ReadToken()
		if err != nil {
			return 0
		}
		switch word.Kind {
		case lexer.EOF:
			return most
		case lexer.Name:
			counts[word.Value]++
			most = max(most, counts[word.Value])
		}
	}
	return 0
}

// within takes every value off left and reports whether that was enough.
func within(value any, left *int) bool {
	*left--
	switch value := value.(type) {
	case map[string]any:
		for _, v := range value {
			if *left < 0 || !within(v, left) {
				return false
			}
		}
	case []any:
		for _, v := range value {
			if *left < 0 || !within(v, left) {
				return false
			}
		}
	}
	return *left >= 0
}

// MutateOperationContext implements [graphql.OperationContextMutator].
func (s documentLimits) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	op.DisableIntrospection = access.Of(ctx).User == ""
	left := s.MaxComplexity
	switch deep := deeper(op.Operation.SelectionSet, s.MaxDepth, &left); {
	case deep:
		return s.exceeded("HEDDLE_MAX_DEPTH", "the document is deeper than %s",
			refusal.Count(s.MaxDepth, "field")).Errors[0]
	case left < 0:
		return s.exceeded("HEDDLE_MAX_COMPLEXITY",
			"the document asks for more than %s, fragments counted wherever they are spread",
			refusal.Count(s.MaxComplexity, "field")).Errors[0]
	case roots(op.Operation.SelectionSet) > s.MaxRoots:
		return s.exceeded("HEDDLE_MAX_ROOT_FIELDS", "the document asks for more than %s at its root",
			refusal.Count(s.MaxRoots, "field")).Errors[0]
	}
	return nil
}

// roots counts the fields at the root of an operation by the names that their answers have.
func roots(set ast.SelectionSet) int {
	names := map[string]bool{}
	var collect func(ast.SelectionSet)
	collect = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				names[s.Alias] = true
			case *ast.InlineFragment:
				collect(s.SelectionSet)
			case *ast.FragmentSpread:
				collect(s.Definition.SelectionSet)
			}
		}
	}
	collect(set)
	return len(names)
}

// schemaFields is how many fields a look at the schema itself counts for.
const schemaFields = 200

// deeper reports whether fields nest deeper than depth; looking at the schema itself does not count.
// It takes every field and fragment that it looks at off left and ends when nothing is.
func deeper(set ast.SelectionSet, depth int, left *int) bool {
	for _, s := range set {
		if *left--; *left < 0 {
			return false
		}
		below, inside := ast.SelectionSet(nil), depth
		switch s := s.(type) {
		case *ast.Field:
			below, inside = s.SelectionSet, depth-1
			if s.Name == "__schema" || s.Name == "__type" {
				inside = math.MaxInt
				*left -= schemaFields
			}
		case *ast.InlineFragment:
			below = s.SelectionSet
		case *ast.FragmentSpread:
			below = s.Definition.SelectionSet // validation has seen to it that there is one
		}
		if inside < 0 || deeper(below, inside, left) {
			return true
		}
	}
	return false
}
