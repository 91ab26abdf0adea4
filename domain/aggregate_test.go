package domain

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heddle/domain/refusal"
)

// row is a decision in given-when-then form. A decision that is neither refused nor followed by events changes
// nothing.
type row[S any] struct {
	given   []Event[S]
	when    func(S) (Changes[S], error)
	then    []Event[S]
	refused string // the refusal's code and text
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// metaOf is the meta of the nth event of the tests' streams, one second apart.
func metaOf(n int) Meta {
	return Meta{Aggregate: "id", Organization: "org", Actor: "actor", Time: start.Add(time.Duration(n) * time.Second)}
}

// folded folds events from their stored form, so that no two states share memory.
func folded[S any](t *testing.T, c *Category[S], events []Event[S]) S {
	t.Helper()
	var s S
	for n, e := range events {
		s = again(t, c, e).Evolve(s, metaOf(n))
	}
	return s
}

// again returns the event as read back.
func again[S any](t *testing.T, c *Category[S], e Event[S]) Event[S] {
	t.Helper()
	encoded, err := c.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := c.Decode(encoded.Kind, encoded.Data)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func told(err error) string {
	if err == nil {
		return ""
	}
	return string(refusal.CodeOf(err)) + " " + err.Error()
}

// decides runs the rows. Each decision is made twice on one state: it must decide the same and leave the state
// alone.
func decides[S any](t *testing.T, c *Category[S], rows map[string]row[S]) {
	t.Helper()
	for name, r := range rows {
		s := folded(t, c, r.given)
		for range 2 {
			changes, err := r.when(s)
			if told(err) != r.refused {
				t.Errorf("%s: refused with %q, want %q", name, told(err), r.refused)
			}
			if diff := cmp.Diff(r.then, []Event[S](changes)); diff != "" && len(r.then)+len(changes) > 0 {
				t.Errorf("%s: decided otherwise (-want +got):\n%s", name, diff)
			}
		}
		if !reflect.DeepEqual(s, folded(t, c, r.given)) {
			t.Errorf("%s: the decision edited the state", name)
		}
		pure(t, name, c, append(r.given[:len(r.given):len(r.given)], r.then...))
	}
}

// pure checks that folding is pure: from each state on the way, every event returns the same state twice,
// leaves the older one alone, and is not disturbed by another event folded from the same state.
func pure[S any](t *testing.T, name string, c *Category[S], events []Event[S]) {
	t.Helper()
	for n, e := range events {
		s := folded(t, c, events[:n])
		once := again(t, c, e).Evolve(s, metaOf(n))
		for _, other := range events {
			_ = again(t, c, other).Evolve(s, metaOf(n))
		}
		twice := again(t, c, e).Evolve(s, metaOf(n))
		if fresh := folded(t, c, events[:n+1]); !reflect.DeepEqual(once, fresh) || !reflect.DeepEqual(twice, fresh) {
			t.Errorf("%s: folding %T again gives another state", name, e)
		}
		if !reflect.DeepEqual(s, folded(t, c, events[:n])) {
			t.Errorf("%s: folding %T edited the older state", name, e)
		}
	}
}

func events[S any](list ...Event[S]) []Event[S] { return list }
