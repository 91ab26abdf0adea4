package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// The table of settings in docs/configuration.md is the settings' own words.
func TestConfigurationPage(t *testing.T) {
	var table strings.Builder
	new(settings).each(func(_ string, f reflect.StructField, _ reflect.Value) {
		help, value := f.Tag.Get("help"), f.Tag.Get("default")
		for name, v := range defaults() {
			value = strings.ReplaceAll(value, "${"+name+"}", v)
		}
		help = strings.ReplaceAll(help, "${enum}", strings.ReplaceAll(f.Tag.Get("enum"), ",", ", "))
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", f.Tag.Get("env"), value, help)
	})
	if !strings.Contains(page(t, "docs/configuration.md"), "|---|---|---|\n"+table.String()) {
		t.Errorf("docs/configuration.md, Settings, should have this table:\n%s", table.String())
	}
}
