package store

import (
	"context"
	"errors"
	"time"

	"heddle/domain"

	"github.com/google/uuid"
)

// Author is the actor of a change, and its cause. It becomes part of every event's [domain.Meta].
type Author struct {
	Organization string
	Actor        string // user id, or "system"
	Token        string // id of the API token the actor came with
	Remote       string // network address of the caller
	Correlation  string
	Causation    string

	trace string // see [domain.Meta]
}

type authorKey struct{}

// As returns a context in which changes are made by an author.
func As(ctx context.Context, a Author) context.Context {
	return context.WithValue(ctx, authorKey{}, a)
}

// AuthorOf returns the author in a context; the zero Author is nobody.
func AuthorOf(ctx context.Context) Author {
	a, _ := ctx.Value(authorKey{}).(Author)
	return a
}

var errNoOrganization = errors.New("a change without an author's organization")

// meta returns the metadata of an event that the author makes now. Times have microseconds, so that a decided
// event equals the event as read back.
func (a Author) meta(previous string) (domain.Meta, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return domain.Meta{}, err
	}
	return domain.Meta{
		ID: id, Organization: a.Organization, Actor: a.Actor, Token: a.Token, Remote: a.Remote,
		Time: time.Now().UTC().Truncate(time.Microsecond), Correlation: a.Correlation, Causation: a.Causation,
		Trace: a.trace, Previous: previous,
	}, nil
}
