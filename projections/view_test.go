package projections

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// follow runs a view over a log until the test ends.
func follow(t testing.TB, log store.Log, logger *slog.Logger) *View {
	t.Helper()
	v := NewView(log, logger)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the view ended with %v", err)
		}
	})
	<-v.CaughtUp()
	return v
}

var quiet = slog.New(slog.DiscardHandler)

func as(organization string) context.Context {
	return store.As(context.Background(), store.Author{Organization: organization, Actor: "someone"})
}

// write appends events to an aggregate.
func write[S any](t testing.TB, ctx context.Context, log store.Log, c *domain.Category[S], id string,
	events ...domain.Event[S]) store.Position {
	t.Helper()
	_, pos, err := store.Change(ctx, log, c, id, func(S) (domain.Changes[S], error) { return events, nil })
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func node(name string) *definition.Part {
	return &definition.Part{Fields: map[string]any{"name": name, "documentation": strings.Repeat("long ", 100)},
		Children: map[string][]*definition.Part{"flows": {{ID: "flow", Fields: map[string]any{"name": "Main"},
			Children: map[string][]*definition.Part{"steps": {{ID: "step",
				Fields: map[string]any{"name": "Hook", "isTrigger": true}}}}}}}}
}

// publish writes the events of a published integration with one open draft.
func publish(t testing.TB, ctx context.Context, log store.Log, id string) store.Position {
	t.Helper()
	first, second := domain.MainDraftID(id, 0), domain.MainDraftID(id, 1)
	write(t, ctx, log, domain.Drafts, first, domain.DraftOpened{Integration: id, Main: true,
		Definition: node("First " + id)})
	write(t, ctx, log, domain.Integrations, id, domain.IntegrationCreated{})
	write(t, ctx, log, domain.Drafts, first, domain.DraftClosed{Version: id + "-v1", Definition: "hash"})
	write(t, ctx, log, domain.Integrations, id, domain.IntegrationPublished{Version: id + "-v1", Number: 1,
		Definition: "hash", Draft: first})
	return write(t, ctx, log, domain.Drafts, second, domain.DraftOpened{Integration: id, Main: true, Base: id + "-v1",
		Definition: node("Second " + id)},
		domain.DraftEdited{Changes: []definition.Change{{Op: definition.SetOp, Path: []string{"name"},
			Value: "Renamed " + id}}})
}

func TestViewFolds(t *testing.T) {
	log := store.NewMemory()
	v := follow(t, log, quiet)
	pos := publish(t, as("o1"), log, "i1")
	publish(t, as("o2"), log, "i2")
	last := write(t, as("o1"), log, domain.Instances, "n1", domain.InstanceCreated{Name: "N", Integration: "i1",
		Version: "i1-v1"})
	if err := v.Wait(t.Context(), last); err != nil || v.Position() < pos {
		t.Fatalf("at %d: %v", v.Position(), err)
	}
	i, ok := v.Integrations.Get("o1", "i1")
	if !ok || len(i.Versions) != 1 || i.CreatedBy != "someone" {
		t.Errorf("the integration is %+v, %v", i, ok)
	}
	if _, ok := v.Integrations.Get("o2", "i1"); ok {
		t.Error("another organization sees it")
	}
	if got, ok := v.IntegrationOf("o1", "i1-v1"); !ok || got.ID != "i1" {
		t.Errorf("its version leads to %+v, %v", got, ok)
	}
	if _, ok := v.IntegrationOf("o2", "i1-v1"); ok {
		t.Error("another organization finds its version")
	}
	draft, ok := v.MainDraft("i1")
	if !ok || draft.Definition.Name() != "Renamed i1" || draft.Closed != nil || draft.Base != "i1-v1" {
		t.Errorf("the main draft is %+v, %v", draft, ok)
	}
	if draft.Definition.Fields["documentation"] != nil {
		t.Error("the view holds more than a summary")
	}
	first := domain.MainDraftID("i1", 0)
	if _, kept := v.Drafts.Get("o1", first); kept {
		t.Error("the former main draft is kept in memory")
	}
	if old, ok, err := v.Draft(t.Context(), "o1", first); !ok || old.ID != first || old.Closed == nil || err != nil {
		t.Errorf("the former main draft is %+v, %v, %v", old, ok, err)
	}
	if _, ok, err := v.Draft(t.Context(), "o2", first); ok || err != nil {
		t.Errorf("another organization finds it: %v, %v", ok, err)
	}
	if n, ok := v.Instances.Find("n1"); !ok || n.Organization != "o1" {
		t.Errorf("the instance is %+v, %v", n, ok)
	}
}

func TestTokens(t *testing.T) {
	log := store.NewMemory()
	v := follow(t, log, quiet)
	pos := write(t, as("o"), log, domain.Users, "u", domain.UserCreated{Email: "a@b.example", Role: domain.Viewer},
		domain.TokenIssued{Token: "t1", Hash: "h1"}, domain.TokenIssued{Token: "t2", Hash: "h2"},
		domain.TokenRevoked{Token: "t1"})
	if err := v.Wait(t.Context(), pos); err != nil {
		t.Fatal(err)
	}
	if u, token, ok := v.TokenOwner("h2"); !ok || token != "t2" || u.ID != "u" {
		t.Errorf("h2 belongs to %+v %s %v", u, token, ok)
	}
	for _, hash := range []string{"h1", "", "h3"} {
		if _, _, ok := v.TokenOwner(hash); ok {
			t.Errorf("%q opens the door", hash)
		}
	}
}

func TestDataKey(t *testing.T) {
	log := store.NewMemory()
	v := follow(t, log, quiet)
	write(t, as("o"), log, domain.Organizations, "o", domain.OrganizationCreated{Name: "O", Key: []byte("ok")})
	pos := write(t, as("o"), log, domain.Customers, "c", domain.CustomerCreated{Name: "C", Key: []byte("ck")})
	if err := v.Wait(t.Context(), pos); err != nil {
		t.Fatal(err)
	}
	for customer, want := range map[string]string{"c": "ck customer/c", "": "ok organization/o"} {
		key, place, ok := v.DataKey(domain.Instance{Organization: "o", Customer: customer})
		if got := string(key) + " " + place; !ok || got != want {
			t.Errorf("the key is %s, want %s", got, want)
		}
	}
	if _, _, ok := v.DataKey(domain.Instance{Organization: "o", Customer: "x"}); ok {
		t.Error("an unknown customer has a key")
	}
}

// A view is memory only: another one over the same log knows the same, in the same order.
func TestViewRebuilds(t *testing.T) {
	log := store.NewMemory()
	v := follow(t, log, quiet)
	var last store.Position
	for n := range 40 {
		last = publish(t, as(fmt.Sprint("o", n%3)), log, fmt.Sprint("i", n))
	}
	if err := v.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	again := follow(t, log, quiet)
	for n := range 3 {
		organization := fmt.Sprint("o", n)
		if diff := cmp.Diff(listOf(&v.Integrations, organization),
			listOf(&again.Integrations, organization)); diff != "" {
			t.Errorf("integrations differ:\n%s", diff)
		}
		drafts := cmpopts.IgnoreUnexported(definition.Part{})
		if diff := cmp.Diff(listOf(&v.Drafts, organization), listOf(&again.Drafts, organization), drafts); diff != "" {
			t.Errorf("drafts differ:\n%s", diff)
		}
	}
}

type placed[S any] struct {
	At    store.Position
	State S
}

func listOf[S any](t *Table[S], organization string) (list []placed[S]) {
	for at, s := range t.Each(organization) {
		list = append(list, placed[S]{at, s})
	}
	return list
}

func TestEach(t *testing.T) {
	log := store.NewMemory()
	v := follow(t, log, quiet)
	var last store.Position
	for n := range 600 { // more than one batch
		last = write(t, as("o"), log, domain.Customers, fmt.Sprintf("c%03d", n), domain.CustomerCreated{Name: "C"})
	}
	if err := v.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	list := listOf(&v.Customers, "o")
	if len(list) != 600 || !slices.IsSortedFunc(list, func(a, b placed[domain.Customer]) int {
		return int(a.At) - int(b.At)
	}) || list[7].State.ID != "c007" {
		t.Errorf("listed %d", len(list))
	}
	for range v.Customers.Each("o") {
		break // leaving early is allowed
	}
	if len(slices.Collect(v.Customers.All())) != 600 {
		t.Error("All misses some")
	}
}

// Events of a newer version are skipped with one warning, and later events are still seen.
func TestUnknownKinds(t *testing.T) {
	log := store.NewMemory()
	var out bytes.Buffer
	v := follow(t, log, slog.New(slog.NewTextHandler(&out, nil)))
	future := domain.NewCategory("customer", domain.Kind[domain.CustomerCreated]("CustomerCreated"),
		domain.Kind[fromTheFuture]("CustomerBlessed"))
	write(t, as("o"), log, future, "c", domain.CustomerCreated{Name: "C"}, fromTheFuture{}, fromTheFuture{})
	pos := write(t, as("o"), log, domain.Customers, "d", domain.CustomerCreated{Name: "D"})
	if err := v.Wait(t.Context(), pos); err != nil {
		t.Fatal(err)
	}
	if c, ok := v.Customers.Get("o", "c"); !ok || c.Name != "C" {
		t.Errorf("the customer is %+v, %v", c, ok)
	}
	if n := strings.Count(out.String(), "CustomerBlessed"); n != 1 {
		t.Errorf("told %d times: %s", n, &out)
	}
}

type fromTheFuture struct{}

func (fromTheFuture) Evolve(c domain.Customer, _ domain.Meta) domain.Customer { return c }

// A record that can't be read ends the view with an error that names it, rather than leaving a hole.
func TestBadRecordEndsTheView(t *testing.T) {
	log := store.NewMemory()
	write(t, as("o"), log, domain.Customers, "c", domain.CustomerCreated{Name: "C"})
	if _, err := log.Append(t.Context(), "customer-c", 0, store.Event{ID: [16]byte{1}, Kind: "CustomerCreated",
		Meta: domain.Meta{ID: [16]byte{1}}.Encode(), Data: []byte("[]")}); err != nil {
		t.Fatal(err)
	}
	err := NewView(log, quiet).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "customer-c@1") {
		t.Errorf("the view ended with %v", err)
	}
}

// Streams that other programs append, of any name, pass.
func TestViewPassesWhatIsNotHeddles(t *testing.T) {
	log := store.NewMemory()
	for i, e := range []store.Event{{Kind: "$streamDeleted"}, {Kind: "CustomerCreated", Data: []byte("[]")},
		{Kind: "CustomerCreated", Meta: []byte("{}"), Data: []byte("{}")},
		{Kind: "CustomerRemoved", Meta: []byte(`{"id":"4"}`), Data: []byte("{}")},
		{Kind: "Other", Meta: []byte("\x00"), Data: []byte("\x00"), Binary: true}} {
		e.ID[0] = byte(i + 1)
		if _, err := log.Append(t.Context(), "customer-c", store.Revision(i-1), e); err != nil {
			t.Fatal(err)
		}
	}
	pos := write(t, as("o"), log, domain.Customers, "c", domain.CustomerCreated{Name: "C"})
	v := follow(t, log, quiet)
	if err := v.Wait(t.Context(), pos); err != nil {
		t.Fatal(err)
	}
	if c, ok := v.Customers.Get("o", "c"); !ok || c.Name != "C" {
		t.Errorf("the customer is %+v, %v", c, ok)
	}
	if _, err := store.Verify(t.Context(), log, nil); err != nil {
		t.Error(err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	v := follow(t, store.NewMemory(), quiet)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := v.Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait gives %v", err)
	}
}

// A slow watcher holds nobody up and still gets a signal after the newest change; many come and go.
func TestWatch(t *testing.T) {
	log := store.NewMemory()
	v := follow(t, log, quiet)
	slow, stop := v.Watch()
	<-slow // the one at once
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			signal, stop := v.Watch()
			<-signal
			stop()
		})
	}
	var last store.Position
	for n := range 50 {
		last = write(t, as("o"), log, domain.Customers, fmt.Sprint("c", n), domain.CustomerCreated{Name: "C"})
	}
	if err := v.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	<-slow
	if n := len(listOf(&v.Customers, "o")); n != 50 {
		t.Errorf("after the signal %d are there", n)
	}
	stop()
	if len(v.watchers) != 0 {
		t.Errorf("%d watchers stay", len(v.watchers))
	}
}
