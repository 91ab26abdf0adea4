package store_test

import (
	"context"
	"testing"

	"heddle/domain"
	"heddle/store"
	"heddle/store/storetest"
)

// What is truncated is a category that says so; others lose nothing.
func TestTruncate(t *testing.T) {
	log, ctx := store.NewMemory(), context.Background()
	for _, stream := range []string{domain.States.Stream("i"), domain.Drafts.Stream("i")} {
		storetest.MustAppend(t, log, stream, store.NoStream, storetest.Events(3)...)
	}
	if err := store.Truncate(ctx, log, domain.States, "i", 2); err != nil {
		t.Error(err)
	}
	if err := store.Truncate(ctx, log, domain.Drafts, "i", 2); err == nil {
		t.Error("a draft is truncated")
	}
	for stream, want := range map[string]int{domain.States.Stream("i"): 1, domain.Drafts.Stream("i"): 3} {
		if got := storetest.ReadAll(t, log, stream, 0); len(got) != want {
			t.Errorf("%s has %d records, want %d", stream, len(got), want)
		}
	}
}
