package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heddle/domain/definition"
)

// -update-events writes the golden files of kinds that have none. It never changes an existing one.
var updateEvents = flag.Bool("update-events", false, "write the golden files of new event kinds")

// coded is a category without its state's type.
type coded interface {
	kindNames() []string
	roundTrip(t *testing.T, kind string, data []byte) []byte
	zero(kind string) (any, bool)
}

type codedOf[S any] struct{ *Category[S] }

func (c codedOf[S]) kindNames() []string { return c.Kinds() }

func (c codedOf[S]) roundTrip(t *testing.T, kind string, data []byte) []byte {
	t.Helper()
	event, err := c.Decode(kind, data)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := c.Encode(event)
	if err != nil {
		t.Fatal(err)
	}
	if encoded.Kind != kind {
		t.Errorf("%s encodes as %s", kind, encoded.Kind)
	}
	var library bytes.Buffer
	encoder := json.NewEncoder(&library)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(event); err != nil || library.String() != string(encoded.Data)+"\n" {
		t.Errorf("%s encodes as %s, by encoding/json as %s, %v", kind, encoded.Data, &library, err)
	}
	return encoded.Data
}

func (c codedOf[S]) zero(kind string) (any, bool) {
	event, err := c.Decode(kind, []byte("{}"))
	return event, err == nil
}

var categories = map[string]coded{
	"organization": codedOf[Organization]{Organizations}, "user": codedOf[User]{Users},
	"customer": codedOf[Customer]{Customers}, "claim": codedOf[Claim]{Claims},
	"notices": codedOf[NotificationsOut]{NotificationsOuts}, "integration": codedOf[Integration]{Integrations},
	"draft": codedOf[Draft]{Drafts}, "instance": codedOf[Instance]{Instances}, "run": codedOf[Run]{Runs},
	"state": codedOf[State]{States},
}

// Each kind is pinned by a golden file with every field set: a stored event must be readable for ever.
func TestGoldenEvents(t *testing.T) {
	seen := map[string]bool{}
	for category, c := range categories {
		for _, kind := range c.kindNames() {
			t.Run(kind, func(t *testing.T) {
				if seen[kind] {
					t.Fatalf("kind %s stands in two categories: golden files are named by kind", kind)
				}
				seen[kind] = true
				path := filepath.Join("testdata", "events", kind+".json")
				golden, err := os.ReadFile(path)
				if os.IsNotExist(err) && *updateEvents {
					event, _ := c.zero(kind)
					golden = pretty(t, fill(event))
					if err := os.WriteFile(path, golden, 0o644); err != nil {
						t.Fatal(err)
					}
				} else if err != nil {
					t.Fatalf("%s of category %s has no golden file; see CONTRIBUTING, adding an event", kind, category)
				}
				if diff := cmp.Diff(string(golden), string(indent(t, c.roundTrip(t, kind, golden)))); diff != "" {
					t.Errorf("the stored form has changed (-golden +now):\n%s", diff)
				}
				event, _ := c.zero(kind)
				if diff := cmp.Diff(string(golden), string(pretty(t, fill(event)))); diff != "" {
					t.Errorf("the golden file leaves fields out (-golden +filled):\n%s", diff)
				}
			})
		}
	}
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if kind := strings.TrimSuffix(filepath.Base(f), ".json"); !seen[kind] {
			t.Errorf("%s pins a kind that no category reads any more", f)
		}
	}
}

func pretty(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return indent(t, b.Bytes())
}

func indent(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(data), "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

// fill sets every field of an event to a value other than its zero value.
func fill(event any) any {
	v := reflect.New(reflect.TypeOf(event)).Elem()
	fillValue(v, "event", 0)
	return v.Interface()
}

func fillValue(v reflect.Value, name string, depth int) {
	switch x := v.Addr().Interface().(type) {
	case **definition.Part:
		*x = &definition.Part{ID: "id", Fields: map[string]any{"name": "Fetch", "n": int64(1),
			"inputs": map[string]any{"url": nil}},
			Children: map[string][]*definition.Part{"steps": {{ID: "child", Fields: map[string]any{"name": "Child"}}},
				"branches": {}}}
		return
	case *time.Time:
		*x = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
		return
	case *json.RawMessage:
		*x = json.RawMessage(`{"json":"` + name + `"}`)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.ToLower(name))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(len(name)))
	case reflect.Uint64:
		v.SetUint(uint64(len(name)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
		v.Set(reflect.ValueOf(strings.ToLower(name)))
	case reflect.Pointer:
		if depth < 4 {
			v.Set(reflect.New(v.Type().Elem()))
			fillValue(v.Elem(), name, depth+1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(name))
			return
		}
		if depth < 6 {
			fillValue(v.Index(0), name, depth+1)
		} else {
			v.Set(reflect.Zero(v.Type()))
		}
	case reflect.Map:
		if depth >= 6 {
			return
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		fillValue(elem, name, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), elem)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fillValue(v.Field(i), f.Name, depth+1)
			}
		}
	}
}

type testState struct{ log []string }

type testEvent struct{ Word string }

func (e testEvent) Evolve(s testState, m Meta) testState {
	return testState{append(slices.Clone(s.log), m.Actor+" "+e.Word)}
}

func TestCategory(t *testing.T) {
	c := NewCategory("test", Kind[testEvent]("Said.v2").Was("Said", func(data []byte) ([]byte, error) {
		return bytes.ReplaceAll(data, []byte("Text"), []byte("Word")), nil
	}))
	encoded, err := c.Encode(testEvent{"a<b"})
	if err != nil || encoded.Kind != "Said.v2" || string(encoded.Data) != `{"Word":"a<b"}` {
		t.Fatalf("got %s %s, %v", encoded.Kind, encoded.Data, err)
	}
	for kind, data := range map[string]string{"Said.v2": `{"Word":"x"}`, "Said": `{"Text":"x"}`} {
		event, err := c.Decode(kind, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := event.Evolve(testState{}, Meta{Actor: "someone"}); !slices.Equal(got.log, []string{"someone x"}) {
			t.Errorf("%s folds to %v", kind, got.log)
		}
	}
	if got := c.Kinds(); !slices.Equal(got, []string{"Said.v2"}) {
		t.Errorf("current kinds are %v", got)
	}
	if got := c.Stream("7"); got != "test-7" {
		t.Errorf("stream is %s", got)
	}
}

func TestCategoryRefuses(t *testing.T) {
	c := NewCategory("test", Kind[testEvent]("Said").Was("Shouted", func([]byte) ([]byte, error) {
		return nil, errors.New("too loud")
	}))
	_, err := c.Decode("Whispered", nil)
	if unknown, ok := errors.AsType[*UnknownKindError](err); !ok || unknown.Kind != "Whispered" {
		t.Errorf("an unknown kind gives %v", err)
	}
	if _, err := c.Decode("Said", []byte(`{"Word":7}`)); err == nil || !strings.Contains(err.Error(), "Said") {
		t.Errorf("bad data gives %v", err)
	}
	if _, err := c.Decode("Shouted", nil); err == nil || !strings.Contains(err.Error(), "too loud") {
		t.Errorf("a failing upcast gives %v", err)
	}
	for name, table := range map[string]func(){
		"kind twice": func() { NewCategory("x", Kind[testEvent]("A"), Kind[testEvent]("A")) },
		"type twice": func() { NewCategory("x", Kind[testEvent]("A"), Kind[testEvent]("B")) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is accepted", name)
				}
			}()
			table()
		}()
	}
}

// Meta is stored with every event, so its form is pinned like theirs.
func TestGoldenMeta(t *testing.T) {
	golden, err := os.ReadFile("testdata/meta.json")
	if err != nil {
		t.Fatal(err)
	}
	var m Meta
	if err := json.Unmarshal(golden, &m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), string(pretty(t, m))); diff != "" {
		t.Errorf("the stored form has changed (-golden +now):\n%s", diff)
	}
	for i := range reflect.TypeFor[Meta]().NumField() {
		if f := reflect.TypeFor[Meta]().Field(i); f.Name != "Aggregate" && reflect.ValueOf(m).Field(i).IsZero() {
			t.Errorf("the golden file leaves %s out", f.Name)
		}
	}
}
