package builtin

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"heddle/component"
	"heddle/domain"
)

// elsewhere are components of vendors and of the platform itself, which those in this package are not.
var elsewhere = []string{
	"acme", "atlassian-jira", "aws-s3", "componentKey", "databricks", "dropbox", "google-cloud-pub-sub", "google-cloud-storage", "google-gmail",
	"google-sheets", "ms-onedrive", "ms-sharepoint", "openai", "postgres", "progix-sig-check", "salesforce", "sftp", "slack",
	"prismatic",
}

// Every action of the real definitions that needs no vendor's account is here.
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
		definition, _, err := domain.Parse(text, domain.DefaultLimits)
		if err != nil {
			t.Fatal(path, err)
		}
		for _, problem := range domain.UnknownActions(definition, func(ref domain.ActionRef, trigger bool) (err error) {
			if slices.Contains(elsewhere, ref.Component) {
				return nil
			}
			found++
			if trigger {
				_, err = registry.LookupTrigger(ref.Component, ref.Key)
			} else {
				_, err = registry.Lookup(ref.Component, ref.Key)
			}
			return err
		}) {
			t.Errorf("%s: %s", filepath.Base(path), problem)
		}
	}
	t.Logf("%d uses of built-in actions", found)
}
