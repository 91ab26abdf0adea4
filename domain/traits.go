package domain

import (
	"maps"
	"slices"
)

// Traits are what the rest of the house does with the streams of a category.
type Traits struct {
	// Passing: old records go in time. The chains of its streams are checked, but they need not begin at revision 0,
	// and no digest that has to hold for ever counts them. Other categories are lasting.
	Passing bool
	// Truncatable: a stream may forget its older records, which a newer one repeats.
	Truncatable bool
	// Brief: there are so many streams, each soon done with, that none is worth keeping in memory.
	Brief bool
	// InView: the View folds it.
	InView bool
	// Audited: people make its events, and the audit has them all. Of runs it has what people do with them.
	Audited bool
}

// traits has those of each category of the house. It is made by the first of them, as no initializer is sure to come
// before theirs.
var traits map[string]Traits

// With gives a category its traits.
func (c *Category[S]) With(t Traits) *Category[S] {
	if traits == nil {
		traits = map[string]Traits{}
	}
	c.Traits, traits[c.Name] = t, t
	return c
}

// TraitsOf returns the traits of a category by its name, none for one that is not of the house.
func TraitsOf(category string) Traits { return traits[category] }

// CategoriesWith returns the names of the categories whose traits are so, sorted.
func CategoriesWith(so func(Traits) bool) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(traits)) {
		if so(traits[name]) {
			names = append(names, name)
		}
	}
	return names
}
