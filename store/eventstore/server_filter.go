package eventstore

import (
	"regexp"
	"slices"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"heddle/store"
)

// selection is a subscriber's filter: on the stream's name or on the kind of event, by prefixes or by a regular
// expression. A nil one matches everything.
type selection struct {
	Kind     bool     // match the kind, not the stream
	Prefixes []string // any of them
	Regex    string
	compiled *regexp.Regexp
}

func newSelection(o *streams.ReadReq_Options_FilterOptions) (*selection, error) {
	expression, s := o.GetStreamIdentifier(), &selection{}
	if o.GetEventType() != nil {
		expression, s.Kind = o.GetEventType(), true
	}
	s.Prefixes, s.Regex = expression.GetPrefix(), expression.GetRegex()
	return s, s.compile()
}

// The limits of a filter: it is tried on every record.
const (
	maxPrefixes    = 256
	maxFilterBytes = 4 << 10 // of all prefixes and the expression
)

func (s *selection) compile() (err error) {
	size := len(s.Regex)
	for _, p := range s.Prefixes {
		size += len(p)
	}
	switch {
	case size > maxFilterBytes || len(s.Prefixes) > maxPrefixes:
		return status.Errorf(codes.InvalidArgument,
			"a filter may have %d prefixes, and %d bytes of them and of its expression", maxPrefixes, maxFilterBytes)
	case s.Regex == "" && len(s.Prefixes) == 0:
		return status.Error(codes.InvalidArgument, "a filter needs prefixes or a regular expression")
	case s.Regex == "":
		return nil
	}
	if s.compiled, err = regexp.Compile(s.Regex); err != nil {
		return status.Error(codes.InvalidArgument, "the filter's regular expression can't be used: "+err.Error())
	}
	return nil
}

func (s *selection) takes(r store.Recorded) bool {
	if s == nil {
		return true
	}
	subject := r.Stream
	if s.Kind {
		subject = r.Kind
	}
	if s.compiled != nil {
		return s.compiled.MatchString(subject)
	}
	return slices.ContainsFunc(s.Prefixes, func(p string) bool { return strings.HasPrefix(subject, p) })
}

// pushed returns the part of the selection that the log itself can filter: prefixes such as "draft-" are
// categories, which are indexed.
func (s *selection) pushed() store.Filter {
	all := store.Filter{System: true}
	if s == nil || s.Kind || s.compiled != nil {
		return all
	}
	var categories []string
	for _, p := range s.Prefixes {
		category, rest, dash := strings.Cut(p, "-")
		if !dash || rest != "" {
			return all
		}
		categories = append(categories, category)
	}
	return store.Filter{Categories: categories}
}
