package definition

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"
)

var corpusDir = filepath.Join("..", "..", "..", "shared", "corpus")

// corpus returns the real definitions, by file name, and skips the test if there are none.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	files := corpusFiles(t)
	if len(files) == 0 {
		t.Skipf("no real definitions in %s", corpusDir)
	}
	return files
}

func corpusFiles(t testing.TB) map[string][]byte {
	t.Helper()
	var paths []string
	for _, pattern := range []string{"*.yml", "*.yaml"} {
		found, _ := filepath.Glob(filepath.Join(corpusDir, pattern))
		paths = append(paths, found...)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = data
	}
	return files
}

// parseOnly is the one file that is partly wrong.
const parseOnly = "synthetic-parse-only.yml"

func TestCorpus(t *testing.T) {
	for name, text := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			def, warnings, err := Parse(text, DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			more, err := Check(def)
			if (err != nil) != (name == parseOnly) {
				t.Errorf("check: %v", err)
			}
			if len(warnings)+len(more) > 0 {
				t.Errorf("warnings: %v %v", warnings, more)
			}
			out, err := Export(def, ExportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var file, export any
			if err := yaml.Unmarshal(text, &file); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal(out, &export); err != nil {
				t.Fatal(err)
			}
			holds(t, "", asExported(file.(map[string]any)), export)
			importAgain(t, def, out)
		})
	}
}

// importAgain imports an export over its definition and finds nothing changed, not even a byte.
func importAgain(t *testing.T, def *Part, out []byte) {
	old := Identify(def, nil, counter("a"))
	new := Identify(parse(t, string(out)), old, counter("b"))
	if changes := Diff(old, new); len(changes) > 0 {
		t.Errorf("importing the export changes %+v", changes)
	}
	if again, _ := Export(new, ExportOptions{}); string(again) != string(out) {
		t.Error("the export is not stable")
	}
	back, err := Decode([]byte(mustEncode(t, old)))
	if err != nil || !back.Equal(old) {
		t.Errorf("it is not decoded as it was encoded: %v", err)
	}
}

// holds reports where an export lacks what a file has. Maps of the export may have more.
func holds(t *testing.T, at string, file, export any) {
	switch file := file.(type) {
	case map[string]any:
		m, _ := export.(map[string]any)
		for key, v := range file {
			if _, there := m[key]; !there {
				t.Errorf("%s/%s is missing", at, key)
				continue
			}
			holds(t, at+"/"+key, v, m[key])
		}
	case []any:
		list, _ := export.([]any)
		if len(list) != len(file) {
			t.Errorf("%s has %d items, not %d", at, len(list), len(file))
			return
		}
		for i := range file {
			holds(t, fmt.Sprintf("%s/%d", at, i), file[i], list[i])
		}
	default:
		if file != export {
			t.Errorf("%s is %#v, not %#v", at, export, file)
		}
	}
}

// asExported maps the parts of a file of the first generation to those of an export. It is written apart from
// the code under test, and knows only the contents of the files here.
func asExported(file map[string]any) map[string]any {
	if file["definitionVersion"] != nil {
		return file
	}
	var steps []any
	for _, s := range file["steps"].([]any) {
		step := s.(map[string]any)
		action := step["action"].(map[string]any)
		step["action"] = map[string]any{"key": action["key"],
			"component": map[string]any{"key": action["componentKey"]}}
		steps = append(steps, step)
	}
	flow := map[string]any{"name": file["name"], "steps": append([]any{file["trigger"]}, steps...)}
	if v, there := file["isSynchronous"]; there {
		flow["isSynchronous"] = v
	}
	want := map[string]any{"flows": []any{flow}, "definitionVersion": 7}
	for key, v := range file {
		if vars, ok := v.(map[string]any); ok && key == "requiredConfigVars" {
			list := []any{}
			for _, k := range keysOf(vars) {
				list = append(list, map[string]any{"key": k, "defaultValue": vars[k]})
			}
			v = list
		}
		if !slices.Contains([]string{"steps", "trigger", "isSynchronous"}, key) {
			want[key] = v
		}
	}
	return want
}

func TestCorpusChanges(t *testing.T) {
	files := corpus(t)
	names := []string{}
	defs := map[string]*Part{}
	for name, text := range files {
		names, defs[name] = append(names, name), Identify(parse(t, string(text)), nil, counter("n"))
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		old := defs[rapid.SampledFrom(names).Draw(t, "file")]
		m := &maker{T: t, prefix: "new"}
		a, b := Diff(old, m.mutate(old)), Diff(old, m.mutate(old))
		if want := m.mutate(old); !Apply(old, stored(t, Diff(old, want))).Equal(want) {
			t.Fatal("the changes do not lead to the new definition")
		}
		if !Summary(Apply(old, a)).Equal(Summary(Apply(Summary(old), a))) {
			t.Fatal("the summary does not follow the changes")
		}
		if !shareKey(a, b) && !alike(a, b, Apply(Apply(old, a), b), Apply(Apply(old, b), a)) {
			t.Fatalf("these do not commute: %+v\n%+v", a, b)
		}
	})
}

// TestCorpusFilesReplaceEachOther imports each file over each other one.
func TestCorpusFilesReplaceEachOther(t *testing.T) {
	var defs []*Part
	for _, text := range corpus(t) {
		defs = append(defs, parse(t, string(text)))
	}
	for _, a := range defs {
		for _, b := range defs {
			old := Identify(a, nil, counter("a"))
			new := Identify(b, old, counter("b"))
			if got := Apply(old, Diff(old, new)); !got.Equal(new) {
				t.Errorf("%s over %s gives something else", b.Name(), a.Name())
			}
		}
	}
}
