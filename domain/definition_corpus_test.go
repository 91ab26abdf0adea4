package domain

import (
	"os"
	"path/filepath"
	"testing"
)

// corpus gives the real definitions, by file name.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "corpus")
	var paths []string
	for _, pattern := range []string{"*.yml", "*.yaml"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		t.Skipf("no real definitions in %s", dir)
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

func TestCorpusParses(t *testing.T) {
	for name, text := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			def, warnings, err := Parse(text, DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range warnings {
				t.Errorf("warning: %v", w)
			}
			if _, err := Check(def); err != nil && name != parseOnly {
				t.Errorf("check: %v", err)
			}
			out, err := Export(def, ExportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			again, _, err := Parse(out, DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			if !def.Equal(again) {
				t.Error("the export is read differently")
			}
			twice, _ := Export(again, ExportOptions{})
			if string(twice) != string(out) {
				t.Error("the export is not stable")
			}
		})
	}
}
