package graph

import (
	"context"
	"errors"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"heddle/app/deployment"
	"heddle/domain/refusal"
)

// allFields is the field of a refusal that concerns no single input field. Source: existing clients.
const allFields = "__all__"

// refusals turns what a mutation expects to be refused for into its payload's errors, and leaves
// everything else an error of the request.
func refusals(err error) ([]FieldError, error) {
	if problems, ok := errors.AsType[refusal.Problems](err); ok {
		messages := make([]string, len(problems))
		for i, p := range problems {
			messages[i] = p.String()
		}
		return []FieldError{{Field: "definition", Messages: messages}}, nil
	}
	if lacks, ok := errors.AsType[deployment.Unconfigured](err); ok {
		return []FieldError{{Field: "configVariables", Messages: lacks}}, nil
	}
	refused, ok := errors.AsType[*refusal.Error](err)
	if !ok || refused.Code == refusal.Unavailable || refused.Code == refusal.Forbidden ||
		refused.Code == refusal.Unauthenticated {
		return []FieldError{}, err
	}
	field := refused.Field
	if field == "" {
		field = allFields
	}
	return []FieldError{{Field: field, Messages: []string{refused.Message}}}, nil
}

// payload puts together what a mutation answers: its object, or null and the refusals.
func payload[T any](v T, err error) (*T, []FieldError, error) {
	errs, err := refusals(err)
	if err != nil || len(errs) > 0 {
		return nil, errs, err
	}
	return &v, []FieldError{}, nil
}

// present makes the error that a client sees. What is not expected is logged under an id and shown
// as that id only.
func present(logger *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		shown := graphql.DefaultErrorPresenter(ctx, err)
		refused, expected := errors.AsType[*refusal.Error](err)
		problems, many := errors.AsType[refusal.Problems](err)
		switch {
		case expected:
			shown.Message = refused.Error()
			extend(shown, "code", string(refused.Code))
			if refused.Field == "id" || refused.Field == "" {
				shown.Message = refused.Message
			}
		case many:
			shown.Message = problems.Error()
			extend(shown, "code", string(refusal.Invalid))
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			shown.Message = "the request was cut off"
			extend(shown, "code", string(refusal.Unavailable))
		case errors.Is(err, errTooMuch): // told once for all, see enough
		case shown.Err == nil || isGraphQL(err):
			if shown.Extensions["code"] == nil { // about the document itself: gqlgen's own words
				extend(shown, "code", string(refusal.Invalid))
			}
		default:
			id := uuid.NewString()
			logger.ErrorContext(ctx, "a request failed", "id", id, "path", shown.Path.String(), "error", err)
			shown.Message = "internal error " + id
			extend(shown, "code", "INTERNAL")
			extend(shown, "id", id)
		}
		return shown
	}
}

// isGraphQL reports whether gqlgen made an error about the request; others come from resolvers.
func isGraphQL(err error) bool {
	e, ok := err.(*gqlerror.Error) // only one that is not wrapped
	return ok && e.Err == nil
}

func extend(e *gqlerror.Error, key string, value any) {
	if e.Extensions == nil {
		e.Extensions = map[string]any{}
	}
	e.Extensions[key] = value
}
