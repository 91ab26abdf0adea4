package domain

import (
	"slices"
	"testing"
)

// Changing a category's traits changes how verify, the view and the audit treat existing streams.
func TestTraits(t *testing.T) {
	people := []string{"customer", "draft", "instance", "integration", "organization", "user"}
	for name, c := range map[string]struct {
		has  func(Traits) bool
		want []string
	}{
		"all": {func(Traits) bool { return true }, append([]string{"claim", "notices", "run", "state"},
			people...)},
		"passing":     {func(t Traits) bool { return t.Passing }, []string{"run", "state"}},
		"truncatable": {func(t Traits) bool { return t.Truncatable }, []string{"state"}},
		"brief":       {func(t Traits) bool { return t.Brief }, []string{"run"}},
		"in the view": {func(t Traits) bool { return t.InView }, people},
		"audited":     {func(t Traits) bool { return t.Audited }, people},
	} {
		slices.Sort(c.want)
		if got := CategoriesWith(c.has); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if TraitsOf("elsewhere") != (Traits{}) {
		t.Error("a category that is not of the house has traits")
	}
}
