package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// The README's table of settings is the settings' own words.
func TestREADMEConfiguration(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
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
	if !strings.Contains(string(readme), table.String()) {
		t.Errorf("README.md, Configuration, should have this table:\n%s", table.String())
	}
}
