package builtin

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heddle/component"
	"heddle/domain/definition"
)

// elsewhere are components of vendors and of the platform itself, which this package does not have.
var elsewhere = []string{
	"acme", "atlassian-jira", "aws-s3", "componentKey", "databricks", "dropbox", "google-cloud-pub-sub",
	"google-cloud-storage", "google-gmail", "google-sheets", "ms-onedrive", "ms-sharepoint", "openai", "postgres",
	"progix-sig-check", "salesforce", "sftp", "slack", "prismatic",
}

// partlyWrong is a file whose steps have inputs that no action ever had.
const partlyWrong = "synthetic-parse-only.yml"

// Every action of the real definitions that needs no vendor's account exists, with all its inputs.
func TestCorpusActions(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "corpus")
	yml, _ := filepath.Glob(filepath.Join(dir, "*.yml"))
	yaml, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
	paths := slices.Concat(yml, yaml)
	if len(paths) == 0 {
		t.Skipf("no real definitions in %s", dir)
	}
	registry := component.New(Components()...)
	found := 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		def, _, err := definition.Parse(text, definition.DefaultLimits)
		if err != nil {
			t.Fatal(path, err)
		}
		for _, problem := range definition.Unsupported(def,
			func(ref definition.ActionRef, trigger bool) ([]string, error) {
				if slices.Contains(elsewhere, ref.Component) {
					return nil, nil
				}
				found++
				return registry.Inputs(ref, trigger)
			}) {
			if name := filepath.Base(path); (name != partlyWrong ||
				!strings.Contains(problem.Message, "no such input")) &&
				!strings.HasPrefix(problem.Message, "triggerResolver") {
				t.Errorf("%s: %s", name, problem)
			}
		}
	}
	t.Logf("%d uses of built-in actions", found)
}
