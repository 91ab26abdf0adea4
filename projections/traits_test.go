package projections

import (
	"log/slog"
	"slices"
	"testing"

	"heddle/domain"
	"heddle/store"
)

// The view folds the categories with the trait.
func TestViewFollowsItsCategories(t *testing.T) {
	v := NewView(store.NewMemory(), slog.New(slog.DiscardHandler))
	if want := domain.CategoriesWith(func(t domain.Traits) bool {
		return t.InView
	}); !slices.Equal(v.Categories(), want) {
		t.Errorf("the view follows %v, want %v", v.Categories(), want)
	}
}
