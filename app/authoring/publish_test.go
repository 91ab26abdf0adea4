package authoring

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
)

// fullLog is a log whose disk is full for a category.
type fullLog struct {
	store.Log
	category string
}

func (l fullLog) Append(ctx context.Context, stream string, expected store.Revision,
	events ...store.Event) (store.Position, error) {
	if strings.HasPrefix(stream, l.category+"-") {
		return 0, refusal.New(refusal.Unavailable, "the disk is full")
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

// A version that the integration refuses reopens the draft that was closed for it; one that can't be written now does
// not.
func TestRefusedVersionReopensTheDraft(t *testing.T) {
	log := store.NewMemory()
	s := &Service{Log: log, Logger: slog.New(slog.DiscardHandler)}
	ctx := store.As(t.Context(), store.Author{Organization: "o", Actor: "ann"})
	closed := domain.DraftClosed{Version: "v"}
	draft, _, err := store.Change(ctx, log, domain.Drafts, "d",
		func(domain.Draft) (domain.Changes[domain.Draft], error) {
			return domain.Changes[domain.Draft]{domain.DraftOpened{Integration: "i", Definition: definition.Blank("N")},
				closed}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Change(ctx, log, domain.Integrations, "i",
		func(i domain.Integration) (domain.Changes[domain.Integration], error) {
			return i.Create(domain.IntegrationCreated{})
		}); err != nil {
		t.Fatal(err)
	}
	state := func() domain.Draft {
		d, _, err := store.Load(ctx, log, domain.Drafts, "d")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	s.Log = fullLog{log, domain.Integrations.Name}
	if _, _, err := s.finish(ctx, draft, closed); refusal.CodeOf(err) != refusal.Unavailable || state().Closed == nil {
		t.Errorf("a full disk: %v, closed for %v", err, state().Closed)
	}
	s.Log, draft.Integration = log, "gone"
	if _, _, err := s.finish(ctx, draft, closed); refusal.CodeOf(err) != refusal.NotFound || state().Closed != nil {
		t.Errorf("an integration that is not there: %v, closed for %v", err, state().Closed)
	}
}
