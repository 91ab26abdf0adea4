// Package refusal is the one kind of expected error that every floor refuses with: it says what is wrong,
// where, and what to do about it.
package refusal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Code is the kind of refusal of an [Error]. Clients branch on it; messages are for people.
type Code string

// The codes of every expected refusal. Any other error is internal: logged with an id, shown to callers as that
// id only.
const (
	Invalid         Code = "INVALID"
	Conflict        Code = "CONFLICT"
	NotFound        Code = "NOT_FOUND"
	Forbidden       Code = "FORBIDDEN"
	Unauthenticated Code = "UNAUTHENTICATED"
	Unavailable     Code = "UNAVAILABLE"
)

// HTTPStatus returns the HTTP status of a refusal with the code, and 0 for any other code.
func (c Code) HTTPStatus() int { return statuses[c] }

// The numbers are those of RFC 9110; nothing of HTTP is known here.
var statuses = map[Code]int{Invalid: 400, Unauthenticated: 401, Forbidden: 403, NotFound: 404, Conflict: 409,
	Unavailable: 503}

// Error is an expected refusal: what is wrong, where, and what to do about it.
type Error struct {
	Code    Code
	Field   string // the input field at fault, empty if it is not one field
	Message string
	Limit   string // the setting of the limit that was exceeded, empty if none was
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// New returns a refusal that concerns no single input field.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// ForField returns a refusal of one input field.
func ForField(code Code, field, format string, args ...any) *Error {
	return &Error{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Missing returns the refusal of a look-up by id. Its words are those that existing clients look for.
func Missing(what string) *Error {
	return ForField(NotFound, "id", "Record not found: %s", what)
}

// Exceed returns the refusal of a value beyond a limit, named by its setting.
func Exceed(limit, format string, args ...any) *Error {
	return &Error{Code: Invalid, Message: fmt.Sprintf(format, args...) + " (" + limit + ")", Limit: limit}
}

// Count returns a number with its noun, whose plural ends in s: 1 place, 2 places.
func Count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// LimitOf returns the setting of the limit in err's chain, or "".
func LimitOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Limit
	}
	return ""
}

// CodeOf returns the code of the refusal in err's chain, or "" if err is not an expected one.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if _, ok := errors.AsType[Problems](err); ok {
		return Invalid
	}
	return ""
}

// Problem is one finding about a definition, with its place.
type Problem struct {
	Line    int    // 1-based line of the YAML it was read from, 0 when it was not read from text
	Flow    string // name of the flow, empty outside flows
	Step    string // name of the step, empty outside steps
	Message string
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Flow != "" {
		fmt.Fprintf(&b, "flow %q: ", p.Flow)
	}
	if p.Step != "" {
		fmt.Fprintf(&b, "step %q: ", p.Step)
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems is everything wrong with a definition, all at once. It is an INVALID refusal.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// ByLine sorts the problems by line.
func (ps Problems) ByLine() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int { return a.Line - b.Line })
	return ps
}
