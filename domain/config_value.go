package domain

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// CheckConfigValue refuses a value that does not fit the config variable's data type. All values are text.
// Source: definition-format, config variables.
func CheckConfigValue(variable *definition.Part, value string) error {
	wants := ""
	switch variable.Text("dataType") {
	case "number":
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			wants = "a number"
		}
	case "boolean":
		if value != "true" && value != "false" {
			wants = "true or false"
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, value); err != nil {
			wants = "a date such as 2026-01-31"
		}
	case "timestamp":
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			wants = "a time such as 2026-01-31T12:00:00Z"
		}
	case "jsonForm", "objectSelection", "objectFieldMap":
		if !json.Valid([]byte(value)) {
			wants = "JSON"
		}
	case "picklist":
		if choices := texts(variable.Fields["pickList"]); len(choices) > 0 && !slices.Contains(choices, value) {
			wants = "one of " + strings.Join(choices, ", ")
		}
	}
	if collection := variable.Text("collectionType"); collection != "" {
		if wants = ""; !isJSONList(value) {
			wants = "a JSON list"
		}
	}
	if wants == "" {
		return nil
	}
	return refusal.ForField(refusal.Invalid, "configVariables", "%q must be %s", variable.Key(), wants)
}

func isJSONList(value string) bool {
	var list []any
	return json.Unmarshal([]byte(value), &list) == nil
}

func texts(list any) []string {
	var all []string
	items, _ := list.([]any)
	for _, item := range items {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}
