package worker

import (
	"fmt"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// collation orders text for one script, by the tables that browsers use. It keeps what takes long to make.
type collation map[string]*collate.Collator

// compare is a host function of two texts, a language tag, whether digits count as numbers, and what is to
// make a difference: "base", "accent", "case" or "variant".
func (c collation) compare(args []any) (any, error) {
	key := fmt.Sprint(args[2:]...)
	if c[key] == nil {
		tag, err := language.Parse(fmt.Sprint(args[2]))
		if err != nil {
			tag = language.Und
		}
		var options []collate.Option
		if args[3] == true {
			options = append(options, collate.Numeric)
		}
		if s := args[4]; s == "base" || s == "accent" {
			options = append(options, collate.IgnoreCase)
		}
		if s := args[4]; s == "base" || s == "case" {
			options = append(options, collate.IgnoreDiacritics)
		}
		c[key] = collate.New(tag, options...)
	}
	return c[key].CompareString(fmt.Sprint(args[0]), fmt.Sprint(args[1])), nil
}
