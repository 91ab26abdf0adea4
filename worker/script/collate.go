package script

import (
	"fmt"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// collation orders text for one script, by the tables that browsers use. It caches collators, which take long to
// make.
type collation map[wordOrder]*collate.Collator

// wordOrder is one of the ways to order text.
type wordOrder struct {
	tag                                  string // of the language
	numeric, ignoresCase, ignoresAccents bool
}

// What a script may have kept outside its own memory.
const (
	maxCollators = 16
	maxTag       = 64 // bytes of a language tag; real ones are shorter
)

// compare is a host function of two texts, a language tag, whether digits count as numbers, and the sensitivity:
// "base", "accent", "case" or "variant".
func (c collation) compare(args []any) (any, error) {
	by, difference := wordOrder{tag: fmt.Sprint(args[2]), numeric: args[3] == true}, args[4]
	by.ignoresCase = difference == "base" || difference == "accent"
	by.ignoresAccents = difference == "base" || difference == "case"
	if len(by.tag) > maxTag {
		by.tag = ""
	}
	if c[by] == nil {
		if len(c) >= maxCollators {
			clear(c)
		}
		c[by] = by.collator()
	}
	return c[by].CompareString(fmt.Sprint(args[0]), fmt.Sprint(args[1])), nil
}

// collator makes the collator for an order; an unknown language is ordered like most.
func (by wordOrder) collator() *collate.Collator {
	tag, err := language.Parse(by.tag)
	if err != nil {
		tag = language.Und
	}
	var options []collate.Option
	if by.numeric {
		options = append(options, collate.Numeric)
	}
	if by.ignoresCase {
		options = append(options, collate.IgnoreCase)
	}
	if by.ignoresAccents {
		options = append(options, collate.IgnoreDiacritics)
	}
	return collate.New(tag, options...)
}
