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

// floor is where one package stands.
type floor struct {
	level  int
	may    string // packages of the house that it may import
	reason string // why nothing else
}

// floors is the house, as CONTRIBUTING.md shows it.
var floors = map[string]floor{
	"domain/refusal":    {0, "", "every floor refuses, so that it knows none"},
	"domain/definition": {1, "domain/refusal", "the format is read without anything that happens to it"},
	"component/value":   {1, "domain/refusal", "what steps pass is data, whatever made it"},
	"domain": {2, "domain/definition domain/refusal",
		"the rules are pure: they know no log, no network, no clock"},
	"worker/expression": {4, "component/value domain/definition domain/refusal",
		"what inputs say is the format's, whoever runs the flow"},
	"worker/outbound":        {4, "component domain/refusal", "requests are guarded whoever makes them"},
	"worker/queue":           {4, "domain/refusal", "tasks are passed without being read"},
	"worker/queue/redistest": {0, "", "tests run on a Redis, whatever asks it"},
	"worker/script":          {4, "component component/value domain/refusal", "code is run for whoever bounds it"},
	"worker/cron":            {4, "domain/refusal", "what runs stand on knows no runs"},
	"store/blobs":            {3, "store/files domain domain/refusal", "what lasts is kept without being read"},
	"graph/explorer":         {0, "", "a page is served, whatever it asks"},
	"store/cache":            {2, "", "a map knows nothing of what it holds"},
	"store/files":            {2, "", "files are written for whoever asks"},
	"store/vault":            {3, "store/cache store/files domain/refusal", "secrets are sealed without being read"},
	"store/live":             {3, "domain/refusal", "messages are passed without being read"},
	"store": {3, "store/cache store/files domain domain/definition domain/refusal",
		"what lasts knows the shape of events, not who reads them"},
	"store/eventstore": {4, "store domain/refusal",
		"what lasts is served to whoever speaks the protocol, and does not know it"},
	"store/storetest": {4, "store domain/refusal", "every adapter passes one suite"},
	"component": {3, "component/value domain/definition domain/refusal",
		"what we can do is offered to the worker and must not know it"},
	"component/builtin": {3, "component component/value domain/definition domain/refusal",
		"a component knows the plug-in API only"},
	"projections": {4, "store store/blobs store/files store/live store/vault domain domain/definition domain/refusal",
		"what we know is folded from the log and nothing else"},
	"app":        {0, "", "it says what the room is for, and has no code"},
	"app/access": {5, "projections store domain", "rights are the same at every door"},
	"app/secrets": {5, "projections store/vault domain",
		"what is secret is sealed and opened the same at every door"},
	"app/authoring": {6, "app/access app/secrets projections store component domain domain/definition domain/refusal",
		"what spans streams or doors knows no door"},
	"app/deployment": {6, "app/access app/secrets projections store domain domain/definition domain/refusal",
		"an instance's life is the same at every door"},
	"app/notify": {5, "projections store store/live domain domain/definition domain/refusal",
		"people are told what the view knows, whoever changed it"},
	"graph": {7, "graph/explorer app/authoring app/deployment app/access app/secrets projections store store/blobs store/live store/vault component component/value domain domain/definition domain/refusal",
		"the door for people shares the log with the door for machines, not code"},
	"worker": {7, "app/secrets worker/cron worker/expression worker/outbound worker/queue worker/script projections store store/blobs store/live store/vault component component/value domain domain/definition domain/refusal",
		"the door for machines shares the log with the door for people, not code"},
	"cmd/heddle": {8, "graph worker app/authoring app/deployment app/access app/secrets app/notify worker/outbound worker/script worker/queue projections store store/blobs store/eventstore store/live store/vault store/files component component/builtin component/value domain domain/definition domain/refusal", "wiring sees every floor"},
}

// impure are standard packages that have no place on the lowest floor.
var impure = []string{"os", "net", "net/http", "database/sql", "log", "log/slog", "math/rand", "math/rand/v2",
	"crypto/rand", "io/fs", "os/exec"}

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
		path := strings.TrimPrefix(p.ImportPath, "heddle/")
		r, known := floors[path]
		if !known {
			t.Errorf("%s stands on no floor: add it to the table, with what it may import and why", path)
			continue
		}
		for _, i := range p.Imports {
			of, own := strings.CutPrefix(i, "heddle/")
			if own && !slices.Contains(strings.Fields(r.may), of) {
				t.Errorf("%s imports %s: %s", path, of, r.reason)
			}
			if strings.HasPrefix(path, "domain") && slices.Contains(impure, i) {
				t.Errorf("%s imports %s: %s", path, i, r.reason)
			}
		}
	}
}

// Arrows go down, but for a package of plug-ins that knows its plug-in API.
func TestFloorsGoDown(t *testing.T) {
	for path, r := range floors {
		for _, of := range strings.Fields(r.may) {
			if below, known := floors[of]; !known || below.level >= r.level && path != of+"/builtin" {
				t.Errorf("%s may import %s, which is not below it", path, of)
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
