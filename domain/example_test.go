package domain

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"heddle/domain/definition"
)

//go:embed definition/testdata/orders.yaml
var orders string

// example returns the definition of two flows with more fields. Its parts have the ids of old's, and new ids that begin
// with prefix.
func example(t testing.TB, fields string, old *definition.Part, prefix string) *definition.Part {
	t.Helper()
	text := strings.Replace(orders, "name: Orders\n", "name: Orders\n"+fields, 1)
	def, _, err := definition.Parse([]byte(text), definition.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	return definition.Identify(def, old, func() string { n++; return fmt.Sprintf("%s%d", prefix, n) })
}
