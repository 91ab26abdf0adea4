package definition

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"heddle/domain/refusal"
)

var update = flag.Bool("update-definitions", false, "write the exports of testdata/definition anew")

// TestGolden compares the export of file.yaml with export.yaml, and with latest.yaml if it is there.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("there are no cases", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			def := parse(t, string(archive.Files[0].Data))
			if _, err := Check(def); err != nil {
				t.Error(err)
			}
			for i, f := range archive.Files[1:] {
				got, err := Export(def, ExportOptions{Version: 7, LatestComponents: f.Name == "latest.yaml"})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(f.Data), string(got)); diff != "" && !*update {
					t.Errorf("%s:\n%s", f.Name, diff)
				}
				archive.Files[i+1].Data = got
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestExportRefusesOtherVersions(t *testing.T) {
	_, err := Export(&Part{}, ExportOptions{Version: 4})
	if err == nil || err.Error() != "a definition cannot be written as version 4, only as 7" ||
		refusal.CodeOf(err) != refusal.Invalid {
		t.Error(err)
	}
}
