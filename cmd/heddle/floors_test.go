package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floors is the house: what each package may import of the others, and why nothing else.
var floors = map[string]struct {
	may    []string
	reason string
}{
	"heddle/domain/refusal":    {nil, "every floor refuses, so that it knows none"},
	"heddle/domain":            {[]string{"heddle/domain/refusal"}, "the rules are pure: they know no log, no network, no clock"},
	"heddle/store":             {[]string{"heddle/domain", "heddle/domain/refusal"}, "what lasts knows the shape of events, not who reads them"},
	"heddle/component/value":   {[]string{"heddle/domain/refusal"}, "what steps pass is data, whatever made it"},
	"heddle/component":         {[]string{"heddle/domain", "heddle/domain/refusal", "heddle/component/value"}, "what we can do is offered to the worker and must not know it"},
	"heddle/component/builtin": {[]string{"heddle/domain", "heddle/domain/refusal", "heddle/component/value", "heddle/component"}, "a component knows the plug-in API only"},
	"heddle/projections":       {[]string{"heddle/domain", "heddle/domain/refusal", "heddle/store"}, "what we know is folded from the log and nothing else"},
	"heddle/graph": {[]string{"heddle/domain", "heddle/domain/refusal", "heddle/store", "heddle/projections", "heddle/component/value", "heddle/component"},
		"the door for people shares the log with the door for machines, not code"},
	"heddle/worker/cron": {[]string{"heddle/domain/refusal"}, "what runs stand on knows no runs"},
	"heddle/worker": {[]string{"heddle/domain", "heddle/domain/refusal", "heddle/store", "heddle/projections", "heddle/component/value", "heddle/component", "heddle/worker/cron"},
		"the door for machines shares the log with the door for people, not code"},
	"heddle/cmd/heddle": {[]string{"heddle/domain", "heddle/domain/refusal", "heddle/store", "heddle/projections", "heddle/component/value", "heddle/component", "heddle/component/builtin", "heddle/graph", "heddle/worker"},
		"wiring sees every floor"},
}

// impure are standard packages that have no place on the lowest floor.
var impure = []string{"os", "net", "net/http", "database/sql", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "io/fs", "os/exec"}

type listed struct {
	ImportPath, Doc string
	Imports         []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestFloors(t *testing.T) {
	for _, p := range packages(t) {
		floor, known := floors[p.ImportPath]
		if !known {
			t.Errorf("%s stands on no floor: add it to the table, with what it may import and why", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			if (strings.HasPrefix(i, "heddle/") || i == "heddle") && !slices.Contains(floor.may, i) {
				t.Errorf("%s imports %s: %s", p.ImportPath, i, floor.reason)
			}
			if strings.HasPrefix(p.ImportPath, "heddle/domain") && slices.Contains(impure, i) {
				t.Errorf("%s imports %s: %s", p.ImportPath, i, floor.reason)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment that says why it exists", p.ImportPath)
		}
	}
}
