package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"heddle/domain"
)

// arguments are those that root fields can't do without, or tell more with. A new root field that
// needs one fails the stories until it is here.
var arguments = map[string]string{
	"draft":                 `id: "$DRAFT"`,
	"node":                  `id: "$INTEGRATION"`,
	"integrationDifference": `from: "$INTEGRATION", to: "$INTEGRATION"`,
	"customer":              `id: "$CUSTOMER"`, "integration": `id: "$INTEGRATION"`, "instance": `id: "$INSTANCE"`,
	"component": `id: "` + domain.DeriveID("component", "code") + `"`, "executionResult": `id: "$RUN"`,
	"logs": `executionResult: "$RUN"`, "executionSections": `executionResult: "$RUN"`,
	"integrations": "allVersions: true",
	"uploadMedia":  `objectId: "$INTEGRATION", fileName: "icon.png", mediaType: AVATAR`,
}

// rootDepth is how many objects deep below a root field the answers are compared.
const rootDepth = 4

type typeRef struct {
	Kind, Name string
	OfType     *typeRef
}

type fieldType struct {
	Name string
	Args []struct {
		Name         string
		Type         typeRef
		DefaultValue *string
	}
	Type typeRef
}

func (t *typeRef) named() *typeRef {
	for t.OfType != nil {
		t = t.OfType
	}
	return t
}

// cmdRoots asks every field of Query for all that it has and can be asked for without arguments. Each
// field of what it gives is asked for by itself, as one document has a limit.
func cmdRoots(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "roots FILE")
	s := of(ts)
	text, err := roots(s.server.url, ts.Getenv("HEDDLE_ADMIN_TOKEN"), ts.Getenv)
	ts.Check(err)
	for _, url := range s.urls { // the server listens on another port each time
		text = strings.ReplaceAll(text, url, "http://heddle")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// roots returns the answers. get knows the ids that some fields need.
func roots(url, token string, get func(string) string) (string, error) {
	types, err := schema(url, token)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, f := range types["Query"] {
		document := "{ " + f.Name
		if a := arguments[f.Name]; a != "" {
			document += "(" + os.Expand(a, get) + ")"
		} else if needs(f) {
			return "", fmt.Errorf("add the arguments of Query.%s to this test", f.Name)
		}
		for _, part := range selections(types, f.Type.named().Name, rootDepth) {
			answer, err := ask(url, token, document+part+" }", nil)
			if err == nil {
				err = refused(answer)
			}
			if err != nil {
				return "", fmt.Errorf("%s: %w", document+part, err)
			}
			text, err := json.MarshalIndent(at(answer, "data"), "", "  ")
			if err != nil {
				return "", err
			}
			all.Write(append(text, '\n'))
		}
	}
	return changing.ReplaceAllString(all.String(), "later"), nil // addresses that authorise themselves, and each upload
}

var changing = regexp.MustCompile(`until=[^"]*|/api/uploads/[^"]*|"id": "[^"]*",\s+"objectUrl"`)

func needs(f fieldType) bool {
	for _, a := range f.Args {
		if a.Type.Kind == "NON_NULL" && a.DefaultValue == nil {
			return true
		}
	}
	return false
}

// schema returns the fields of all types.
func schema(url, token string) (map[string][]fieldType, error) {
	const ref = "kind name ofType { kind name ofType { kind name ofType { kind name } } }"
	answer, err := ask(url, token, `{ __schema { types { name fields { name args { name defaultValue type { kind } } type { `+ref+` } } } } }`, nil)
	if err != nil {
		return nil, err
	}
	if err := refused(answer); err != nil {
		return nil, err
	}
	var types []struct {
		Name   string
		Fields []fieldType
	}
	text, err := json.Marshal(at(answer, "data.__schema.types"))
	if err == nil {
		err = json.Unmarshal(text, &types)
	}
	all := map[string][]fieldType{}
	for _, t := range types {
		all[t.Name] = t.Fields
	}
	return all, err
}

// selections asks for all that a type has, so deep, in parts: its plain fields, and each object below it
// and below the nodes of a list.
func selections(types map[string][]fieldType, name string, depth int) []string {
	parts := []string{selection(types, name, 0)}
	for _, f := range types[name] {
		below := f.Type.named()
		switch {
		case depth == 0 || needs(f) || below.Kind != "OBJECT" || f.Name == "edges":
		case f.Name == "nodes":
			for _, part := range selections(types, below.Name, depth-1) {
				parts = append(parts, " { nodes"+part+" }")
			}
		default:
			if part := selection(types, below.Name, depth-1); part != "" {
				parts = append(parts, " { "+f.Name+part+" }")
			}
		}
	}
	if len(parts) == 1 {
		return parts // of a plain field: nothing
	}
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// selection asks for all that a type has, so deep. Edges repeat the nodes, so of them the cursors do.
func selection(types map[string][]fieldType, name string, depth int) string {
	var fields []string
	for _, f := range types[name] {
		t := f.Type.named()
		switch {
		case needs(f):
		case t.Kind == "SCALAR" || t.Kind == "ENUM":
			fields = append(fields, f.Name)
		case t.Kind == "UNION":
			fields = append(fields, f.Name+" { __typename }")
		case f.Name == "edges":
			fields = append(fields, "edges { cursor }")
		case depth > 0:
			if sub := selection(types, t.Name, depth-1); sub != "" {
				fields = append(fields, f.Name+sub)
			}
		}
	}
	if len(fields) == 0 {
		return ""
	}
	slices.Sort(fields)
	return fmt.Sprintf(" { %s }", strings.Join(fields, " "))
}
