package domain

import (
	"maps"
	"slices"
)

// Traits say how the other packages treat the streams of a category.
type Traits struct {
	// Passing: old records are removed over time. The chains of its streams are checked, but need not begin at
	// revision 0, and digests that hold for ever do not count them. Other categories are lasting.
	Passing bool
	// Truncatable: a stream may drop older records, which a newer one repeats.
	Truncatable bool
	// Brief: there are so many streams, each soon finished, that none is worth caching.
	Brief bool
	// InView: the View folds it.
	InView bool
	// Audited: people make its events, and the audit lists all of them. Of runs it lists the events that people
	// make.
	Audited bool
}

// traits holds the traits of each category. The first category creates it, since no initializer is sure to run
// before theirs.
var traits map[string]Traits

// With sets a category's traits.
func (c *Category[S]) With(t Traits) *Category[S] {
	if traits == nil {
		traits = map[string]Traits{}
	}
	c.Traits, traits[c.Name] = t, t
	return c
}

// TraitsOf returns the traits of a category by its name, none for an unknown one.
func TraitsOf(category string) Traits { return traits[category] }

// CategoriesWith returns the sorted names of the categories whose traits match.
func CategoriesWith(so func(Traits) bool) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(traits)) {
		if so(traits[name]) {
			names = append(names, name)
		}
	}
	return names
}
