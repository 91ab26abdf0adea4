package graph

import (
	"cmp"
	"encoding/base64"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"heddle/domain/refusal"
)

// thing is an element of a list that changes while it is read.
type thing struct {
	id     uint64
	name   string
	number int
}

type shelf map[uint64]thing

func (s shelf) each() iter.Seq2[uint64, thing] {
	return func(yield func(uint64, thing) bool) {
		for _, id := range slices.Sorted(maps.Keys(s)) {
			if !yield(id, s[id]) {
				return
			}
		}
	}
}

// Whoever pages through a list while others add, take away and rename gets everything that stays as it
// is once, in order, and nothing else twice that was not renamed.
func TestSortedPagesWhileOthersChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		things, next := shelf{}, uint64(1)
		name := rapid.SampledFrom([]string{"", "a", "A", "b", "ab", "ä", "日", strings.Repeat("x", 300),
			strings.Repeat("x", 300) + "y", strings.Repeat("é", 200)})
		add := func() {
			things[next] = thing{next, name.Draw(t, "name"), rapid.IntRange(-2, 2).Draw(t, "number")}
			next++
		}
		for range rapid.IntRange(0, 20).Draw(t, "things") {
			add()
		}
		var order sorting[thing]
		keys := map[string]func(thing) sortKey{"NAME": func(v thing) sortKey { return byText(v.name) },
			"NUMBER": func(v thing) sortKey { return byNumber(v.number) }}
		for _, field := range rapid.SliceOfN(rapid.SampledFrom([]string{"NAME", "NUMBER"}), 0, 3).Draw(t, "fields") {
			order.and(field, rapid.SampledFrom([]OrderDirection{OrderDirectionAsc, OrderDirectionDesc}).Draw(t,
				"direction"), keys[field])
		}
		whole, after, size := maps.Clone(things), "", rapid.IntRange(1, 5).Draw(t, "size")
		var seen []thing
		for {
			page, err := sorted(things.each(), order, same, window{after: &after, first: &size})
			if err != nil || len(page.Nodes) > size {
				t.Fatalf("%v, %v", page, err)
			}
			if len(seen) == 0 && page.PageInfo.HasPreviousPage {
				t.Fatal("there is something before the first")
			} else if len(seen) > 0 && whole[seen[len(seen)-1].id] != (thing{}) && !page.PageInfo.HasPreviousPage {
				t.Fatalf("nothing is before what follows %v", seen)
			}
			seen = append(seen, page.Nodes...)
			if !page.PageInfo.HasNextPage {
				break
			}
			after = *page.PageInfo.EndCursor
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				id := rapid.Uint64Range(1, next).Draw(t, "id")
				changed, there := things[id]
				switch what := rapid.IntRange(0, 2).Draw(t, "what"); {
				case what == 0:
					add()
				case there && what == 1:
					delete(things, id)
					delete(whole, id)
				case there:
					changed.name = name.Draw(t, "new name")
					things[id] = changed
					delete(whole, id)
				}
			}
			if len(seen) > 500 {
				t.Fatal("it never ends")
			}
		}
		stayed := slices.DeleteFunc(slices.Clone(seen), func(v thing) bool { _, ok := whole[v.id]; return !ok })
		want := slices.SortedFunc(maps.Values(whole), func(a, b thing) int {
			for i, key := range order.by {
				if c := key(a).compare(key(b)); c != 0 && order.down[i] {
					return -c
				} else if c != 0 {
					return c
				}
			}
			return cmp.Compare(a.id, b.id)
		})
		if !slices.Equal(stayed, want) {
			t.Fatalf("sorted by%s: %v, want %v", order.name, stayed, want)
		}
	})
}

func TestSortedCursorsRefuse(t *testing.T) {
	things := shelf{1: {1, "a", 1}, 2: {2, "b", 2}}
	var order, other sorting[thing]
	order.and("NAME", OrderDirectionAsc, func(v thing) sortKey { return byText(v.name) })
	other.and("NAME", OrderDirectionDesc, func(v thing) sortKey { return byText(v.name) })
	one := 1
	page, err := sorted(things.each(), order, same, window{first: &one})
	if err != nil || page.Nodes[0].name != "a" {
		t.Fatal(page, err)
	}
	good := *page.PageInfo.EndCursor
	for name, c := range map[string]struct{ cursor, want string }{
		"of another order": {good, "in another order; begin without one"},
		"of no order":      {cursor(1), "is not a cursor that this server gave"},
		"cut":              {good[:len(good)-4], "is not a cursor"},
		"longer":           {base64.RawURLEncoding.EncodeToString([]byte(`s{"o":" NAME desc","k":[{"t":"a"}],"p":1,"x":2}`)), "is not a cursor"},
		"with too few keys": {base64.RawURLEncoding.EncodeToString([]byte(`s{"o":" NAME desc","k":[],"p":1}`)),
			"in another order"},
		"nonsense": {"💥", "is not a cursor"},
	} {
		if _, err := sorted(things.each(), other, same,
			window{after: &c.cursor, first: &one}); refusal.CodeOf(err) != refusal.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sorted(things.each(), sorting[thing]{}, same,
		window{after: &good, first: &one}); refusal.CodeOf(err) != refusal.Invalid {
		t.Errorf("a cursor of an order in a list without: %v", err)
	}
}

// Every list that can be sorted is sorted by each of its fields, in both directions, one element a page.
func TestEveryListSorts(t *testing.T) {
	h := newHarness(t)
	var integrations, versions []string
	for _, c := range []struct{ name, category string }{{"beta", "X"}, {"Alpha", ""}, {"gamma", "x"}} {
		integrations = append(integrations, h.do(createDocument,
			vars{"input": vars{"name": c.name, "description": "",
				"category": c.category}}).text("createIntegration.integration.id"))
	}
	a, b, c := integrations[0], integrations[1], integrations[2]
	for _, note := range []string{"One", "Two"} {
		h.do(describeDocument, vars{"input": vars{"id": a, "description": note}})
		versions = append(versions, h.published(h.org, a))
	}
	v1, v2 := versions[0], versions[1]
	h.published(h.org, b)
	zed, acme := h.customer(h.org, "Zed"), h.customer(h.org, "acme")
	h.do(customerDocument, vars{"name": "Mid", "externalId": "e"})
	two, one := h.instance(h.org, "two", v1, acme), h.instance(h.org, "One", v1, zed)
	h.do(deployDocument, vars{"id": two})
	under := `integration(id: "` + a + `")`
	for _, list := range []struct{ parent, list, order, field, up, down string }{
		{"", "integrations", "field: NAME", "id", b + " " + a + " " + c, c + " " + a + " " + b},
		{"", "integrations", "field: CATEGORY", "id", b + " " + a + " " + c, a + " " + c + " " + b},
		{"", "integrations", "field: CREATED_AT", "id", a + " " + b + " " + c, c + " " + b + " " + a},
		{"", "integrations", "field: UPDATED_AT", "id", c + " " + a + " " + b, b + " " + a + " " + c},
		{"", "integrations", "field: VERSION_NUMBER", "id", c + " " + b + " " + a, a + " " + b + " " + c},
		{under, "versionSequence", "field: VERSION_NUMBER", "id", v1 + " " + v2, v2 + " " + v1},
		{"", "customers", "field: NAME", "name", "acme Mid Zed", "Zed Mid acme"},
		{"", "customers", "field: EXTERNAL_ID", "name", "Zed acme Mid", "Mid Zed acme"},
		{"", "customers", "field: CREATED_AT", "name", "Zed acme Mid", "Mid acme Zed"},
		{"", "instances", "field: NAME", "id", one + " " + two, two + " " + one},
		{"", "instances", "field: CREATED_AT", "id", two + " " + one, one + " " + two},
		{"", "instances", "field: LAST_DEPLOYED_AT", "id", one + " " + two, two + " " + one},
		{"", "instances", "field: CUSTOMER", "id", two + " " + one, one + " " + two},
	} {
		for direction, want := range map[string]string{"ASC": list.up, "DESC": list.down} {
			if got := h.walk(list.parent, list.list, `, sortBy: [{`+list.order+`, direction: `+direction+`}]`,
				list.field); got != want {
				t.Errorf("%s by %s %s: %s, want %s", list.list, list.order, direction, got, want)
			}
		}
	}
	if got, want := h.walk("", "integrations",
		`, sortBy: [{field: CATEGORY, direction: DESC}, {field: NAME, direction: DESC}, {field: NAME, direction: ASC}]`,
		"id"), c+" "+a+" "+b; got != want {
		t.Errorf("by two: %s, want %s", got, want)
	}
	if got, want := h.walk("", "integrations",
		`, allVersions: true, name_Icontains: "A", category: "x", sortBy: [{field: NAME, direction: DESC}]`,
		"id"), c+" "+a+" "+v1+" "+v2; got != want {
		t.Errorf("with versions: %s, want %s", got, want)
	}
}

// A version that is published, or made unavailable, between two pages moves nothing across a cursor.
func TestVersionPagesWhileOthersPublish(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	var versions []string
	publish := func(note string) {
		h.do(describeDocument, vars{"input": vars{"id": id, "description": note}})
		versions = append(versions, h.published(h.org, id))
	}
	publish("1")
	publish("2")
	publish("3")
	const document = `query ($id: ID!, $after: String) { integration(id: $id) { versionSequence(versionIsAvailable: true, first: 1, after: $after, sortBy: [{field: VERSION_NUMBER, direction: DESC}]) { nodes { id } pageInfo { endCursor } } } }`
	a := h.do(document, vars{"id": id})
	publish("4")
	h.do(availabilityDocument, vars{"id": versions[2], "available": false})
	b := h.do(document, vars{"id": id, "after": a.text("integration.versionSequence.pageInfo.endCursor")})
	if got := a.texts("integration.versionSequence.nodes", "id") + " " + b.texts("integration.versionSequence.nodes",
		"id"); got != versions[2]+" "+versions[1] {
		t.Errorf("paged %s of %s", got, versions)
	}
}

// Backwards, pages hold the same as forwards and say the same of what is beside them.
func TestPagesBackwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		things := shelf{}
		for id := range rapid.Uint64Range(0, 20).Draw(t, "things") {
			things[id+1] = thing{id + 1, rapid.SampledFrom([]string{"a", "B", "b"}).Draw(t, "name"), 0}
		}
		var order sorting[thing]
		if rapid.Bool().Draw(t, "sorted") {
			order.and("NAME", rapid.SampledFrom([]OrderDirection{OrderDirectionAsc, OrderDirectionDesc}).Draw(t,
				"direction"), func(v thing) sortKey { return byText(v.name) })
		}
		most, size, before := len(things)+1, rapid.IntRange(1, 5).Draw(t, "size"), ""
		forwards, err := sorted(things.each(), order, same, window{first: &most})
		if err != nil {
			t.Fatal(err)
		}
		var seen []thing
		for {
			page, err := sorted(things.each(), order, same, window{before: &before, last: &size})
			if err != nil || len(page.Nodes) > size || len(page.Edges) != len(page.Nodes) ||
				page.PageInfo.HasNextPage != (before != "") {
				t.Fatalf("%+v, %v", page, err)
			}
			seen = append(slices.Clone(page.Nodes), seen...)
			if !page.PageInfo.HasPreviousPage {
				break
			}
			if before = *page.PageInfo.StartCursor; before != page.Edges[0].Cursor ||
				*page.PageInfo.EndCursor != page.Edges[len(page.Edges)-1].Cursor {
				t.Fatalf("the ends of %+v", page)
			}
		}
		if !slices.Equal(seen, forwards.Nodes) {
			t.Fatalf("backwards %v, forwards %v", seen, forwards.Nodes)
		}
	})
}
