package definition

import (
	"fmt"
	"strings"
	"testing"
)

func TestSealedKeys(t *testing.T) {
	for plain, shown := range map[string]string{"k": "…", "abcd": "…d", "sk_live_0123456789": "…6789",
		"key: \"a\"\n{}–é": "…__é", "x\u202eabc)": "…_"} {
		text := SealedKey(plain, []byte{0, 255, 'a'})
		if end, _, _ := strings.Cut(text, " "); end != shown {
			t.Errorf("%q is shown as %s, want %s", plain, end, shown)
		}
		if sealed, ok := ReadSealedKey(text); !ok || string(sealed) != "\x00\xffa" {
			t.Errorf("%q is read as %q, %v", text, sealed, ok)
		}
	}
	for _, text := range []string{"", "…abcd", "abcd (sealed:AP9h)", "…d (sealed:AP9h", "…d (sealed:%)",
		"(sealed:AP9h)", "… (SEALED:AP9h)"} {
		if _, ok := ReadSealedKey(text); ok {
			t.Errorf("%q is read as one that is sealed", text)
		}
	}
}

// call gets every key, wherever it stands; the original definition does not change.
func TestMapAPIKeys(t *testing.T) {
	def := parse(t, strings.Replace(twoFlows, "    steps:", "    organizationApiKeys: [one, two]\n    steps:", 2))
	n := 0
	number := func(_ *Part, key string) (string, error) {
		if n++; key == "two" {
			return "", nil
		}
		return fmt.Sprint(key, n), nil
	}
	mapped, err := def.MapAPIKeys(number)
	if err != nil || len(mapped.Flows()) != 2 {
		t.Fatal(mapped, err)
	}
	for i, want := range []string{"[one1]", "[one3]"} {
		if got := fmt.Sprint(mapped.Flows()[i].APIKeys()); got != want {
			t.Errorf("flow %d has %s, want %s", i, got, want)
		}
		if got := fmt.Sprint(def.Flows()[i].APIKeys()); got != "[one two]" {
			t.Errorf("what was mapped has %s", got)
		}
	}
	set := func(value any) []Change {
		return []Change{{Op: SetOp, Node: "f", Path: []string{"organizationApiKeys"}, Value: value}}
	}
	changes, err := MapAPIKeysIn(def, append(set([]any{"a"}), Change{Op: AddOp, List: flowList, Part: def.Flows()[0]}),
		number)
	if err != nil || fmt.Sprint(changes[0].Value) != "[a5]" || fmt.Sprint(changes[1].Part.APIKeys()) != "[one6]" {
		t.Errorf("changes are %v, %v", changes, err)
	}
	for _, value := range []any{"a", 1, []any{1}, []any{[]any{"a"}}, map[string]any{"a": "b"}, []any{"a", nil}} {
		if _, err := MapAPIKeysIn(def, set(value),
			number); refused(err) != "INVALID organizationApiKeys must be a list of texts" {
			t.Errorf("%v: %v", value, err)
		}
	}
}
