package builtin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

const (
	mega      = 1 << 20
	outputMax = "HEDDLE_MAX_STEP_OUTPUT"
	memoryMax = "HEDDLE_MAX_STEP_MEMORY"
)

// small are the limits of the worst inputs.
var small = value.Limits{Output: mega, Memory: 8 * mega}

// worst is an input that once held or took far more than its size, and the limit that it meets now, or a part
// of the error; nothing if it is read after all.
type worst struct {
	component, action string
	inputs            map[string]any
	limit             string
}

// times repeats the middle text.
func times(before, middle string, n int, after string) string {
	return before + strings.Repeat(middle, n) + after
}

// numbered concatenates a text for each number.
func numbered(before, format string, n int, after string) string {
	var b strings.Builder
	b.WriteString(before)
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String() + after
}

func doubling() (pairs []value.KeyValue) {
	for range 40 {
		pairs = append(pairs, value.KeyValue{Key: "a", Value: "aa"})
	}
	return pairs
}

// shared is a value that holds one and the same list again and again: written out, it has 2^40 elements.
func shared() (v any) {
	v = "x"
	for range 40 {
		v = []any{v, v}
	}
	return v
}

func worstInputs() map[string]worst {
	const format, text, tools = "change-data-format", "text-manipulation", "collection-tools"
	keys := numbered("[", `{"k%d":1},`, 5000, "{}]")
	deep := times("", "[", 900, times("", "1,", 10_000, "1")+strings.Repeat("]", 900))
	named := times(`{"r":{"`, "a", 50_000, times(`":[`, "1,", 1000, "1]}}"))
	ones := times("[", "1,", mega, "1]")
	return map[string]worst{
		"JSON, numbers":        {format, "deserializeFromJson", in("data", ones), memoryMax},
		"JSON, objects":        {format, "deserializeFromJson", in("data", times("[", `{"a":1},`, 50_000, "1]")), memoryMax},
		"JSON, empty objects":  {format, "deserializeFromJson", in("data", times("[", "{},", 200_000, "1]")), memoryMax},
		"JSON, deep":           {format, "deserializeFromJson", in("data", times("", "[", 2000, strings.Repeat("]", 2000))), "deeper than 1000"},
		"JSON lines":           {format, "deserializeJsonl", in("data", times("", "[1,1,1,1]\n", mega/10, "")), memoryMax},
		"JSON, in a body":      {format, "deserializeFromBinary", in("data", []byte(ones)), memoryMax},
		"CSV, other keys":      {format, "jsonToCsv", in("data", keys), outputMax},
		"CSV, commas":          {format, "deserializeFromCsv", in("data", times("", ",", mega, ""), "csvHeader", "false"), memoryMax},
		"CSV, lines":           {"csv", "parse", in("csv", times("", "a\n", mega, "")), memoryMax},
		"CSV, commas in cells": {"csv", "parse", in("csv", times(`"`, ",", mega, `"`)), ""},
		"CSV, deep columns": {format, "deserializeFromCsv", in("data", times("", "a__", 1000, "\n")+strings.Repeat("1\n", 1000), "unflattenKeys",
			"true"), "more than 100 objects deep"},
		"CSV, long columns":  {format, "jsonToCsv", in("data", times(`{"`, "a", 50_000, numbered(`":{`, `"k%d":1,`, 1000, `"k":1}}`))), memoryMax},
		"YAML, keys":         {format, "deserializeFromYaml", in("data", numbered("", "k%d: 1\n", 10_000, "")), ""},
		"YAML, items":        {format, "deserializeFromYaml", in("data", times("[", "a,", 100_000, "a]")), memoryMax},
		"YAML, tags":         {format, "deserializeFromYaml", in("data", numbered("", "%%TAG !a%d! b\n", 10_000, "---\na")), "directives"},
		"YAML, deep":         {format, "deserializeFromYaml", in("data", times("", "- ", 2000, "a")), "deeper than 500"},
		"YAML, keys in keys": {format, "deserializeFromYaml", in("data", times("", "{? ", 30, "a"+strings.Repeat("}", 30))), "only text can be"},
		"YAML, written deep": {format, "jsonToYaml", in("data", deep), outputMax},
		"pretty, deep":       {format, "prettyPrint", in("data", deep), outputMax},
		"XML, long names":    {format, "jsonToXml", in("data", named), outputMax},
		"XML, elements":      {format, "deserializeFromXml", in("data", times("<r>", "<a><b/></a>", 60_000, "</r>")), memoryMax},
		"XML, attributes":    {format, "deserializeFromXml", in("data", numbered("<r", " a%d=''", 200_000, "/>")), memoryMax},
		"XML, version":       {format, "deserializeFromXml", in("data", times("<?xml version='", "1", mega, "'?><a/>")), "unsupported version"},
		"form, long names":   {format, "serializeFormData", in("data", times(`{"`, "a", 50_000, times(`":[`, "1,", 1000, "1]}"))), outputMax},
		"form, names":        {format, "deserializeFormData", in("data", numbered("", "a%d&", 100_000, "")), memoryMax},
		"form, one name":     {format, "deserializeFormData", in("data", times("", "a&", 300_000, "")), memoryMax},
		"pack, lists in lists": {"messagepack", "decodeMessage",
			in("message", times("", "\xdd\x00\x01\x00\x00", 400, strings.Repeat("\xc0", 100_000))), "unexpected EOF"},
		"pack, objects":      {"messagepack", "decodeMessage", in("message", times("\xdd\x00\x10\x00\x00", "\x80", mega, "")), memoryMax},
		"pack, keys in keys": {"messagepack", "decodeMessage", in("message", times("", "\x81", 40, strings.Repeat("\xa1k\xa1v", 40))), "only text"},
		"pack, shared":       {"messagepack", "encodeMessage", in("data", shared()), outputMax},
		"JSON, shared":       {format, "binaryToJson", in("data", shared()), outputMax},
		"text, shared":       {text, "lowerCase", in("text", shared()), outputMax},
		"log, shared":        {"log", "writeLog", in("message", shared()), outputMax},
		"hash, shared":       {"hash", "computeHash", in("message", shared()), outputMax},
		"form part, shared": {"http", "httpPostFormData", in("url", "http://x", "formData", []value.KeyValue{{Key: "a", Value: shared()}}),
			outputMax},
		"request, shared":   {"http", "httpPost", in("url", "http://x", "data", shared()), outputMax},
		"branch, shared":    {"branch", "branchOnValue", in("inputValue", shared(), "branchValueMappings", doubling()), outputMax},
		"replace":           {text, "replace", in("text", times("", "a", mega, ""), "find", "a", "replace", times("", "b", mega, "")), outputMax},
		"replace, doubling": {text, "replaceMultipleSubstring", in("text", "a", "replaceWith", doubling()), outputMax},
		"join":              {text, "join", in("strings", times("[", "1,", 1000, "1]"), "separator", times("", "x", mega, "")), outputMax},
		"join lines": {text, "joinLines", in("strings", "[1,2]", "newlineType", times("", "x", mega, ""), "numberOfNewlines", "1000"),
			outputMax},
		"split":       {text, "split", in("text", times("", "a", mega, ""), "separator", ""), memoryMax},
		"split lines": {text, "splitLines", in("text", times("", "\n", mega, ""), "filterBlankLines", "false"), memoryMax},
		"HTML":        {text, "htmlEncode", in("text", times("", "&", mega, "")), outputMax},
		"capitals":    {text, "upperCase", in("text", times("", "ΐ", mega/2, "")), outputMax},
		"base64":      {text, "encodeBase64", in("text", times("", "a", mega, "")), outputMax},
		"slice":       {text, "slice", in("text", times("", "é", mega, ""), "sliceStart", "1"), memoryMax},
		"date, long":  {"datetime", "convertToEpoch", in("dateTimeInput", times("", "x", mega, "")), "is no date"},
		"date, pattern": {"datetime", "formatDateTime", in("dateTimeInput", "2026-01-01", "formatInput", times("", "Z", mega, "")),
			"1000 bytes"},
		"date, zone": {"datetime", "convertToLocalISOString", in("dateTimeInput", "2026-01-01", "timezoneInput", times("", "Z", mega, "")),
			"no time zone"},
		"expression":           {"math", "evaluate", in("expression", times("", "1+", mega, "1")), "10000 bytes"},
		"numbers":              {"math", "add", in("numbers", ones), memoryMax},
		"duplicates":           {tools, "deduplicate", in("listInput", ones), memoryMax},
		"elements of elements": {tools, "flatten", in("listInput", []any{list(100_000), list(100_000), list(100_000), list(100_000)}), memoryMax},
		"chunks":               {tools, "chunks", in("listInput", list(150_000), "numberInput", 1.0), memoryMax},
		"object path":          {tools, "addKey", in("object", "{}", "key", "a", "objectPath", times("", "a.", mega, "")), "2000 bytes"},
		"schema, numbers": {tools, "validateJsonSchema", in("jsonInput", times("[", "1e999999,", 1000, "1e-999999]"), "jsonSchema",
			`{"items":{"type":"number","minimum":0}}`), ""},
		"schema, findings": {tools, "validateJsonSchema", in("jsonInput", times("[", "1,", 40_000, "1]"), "jsonSchema",
			`{"items":{"type":"string"}}`), memoryMax},
		"sleep":           {"sleep", "sleep", in("ms", "1e300"), "must be between"},
		"loop":            {"loop", "loopNTimes", in("iterationCount", "9e15"), "must be between"},
		"condition, deep": {"branch", "branchOnExpression", in("conditions", []value.KeyValue{{Key: "a", Value: nested(2000)}}), "deeper than 1000"},
		"condition":       {"branch", "branchOnExpression", in("conditions", []value.KeyValue{{Key: "a", Value: []any{"isEmpty", ones}}}), memoryMax},
		"template":        {"liquid-template", "transform", in("data", ones, "liquidTemplate", "x"), memoryMax},
	}
}

func list(n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = true
	}
	return all
}

func nested(depth int) any {
	condition := any([]any{"isTrue", "x"})
	for range depth {
		condition = []any{"and", condition}
	}
	return condition
}

// A limit refuses larger inputs by its name, before much is held.
func TestWorstInputs(t *testing.T) {
	registry := component.New(Components()...)
	for name, c := range worstInputs() {
		t.Run(name, func(t *testing.T) {
			action, err := registry.Lookup(c.component, c.action)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = action.Perform(value.WithLimits(t.Context(), small), newStep(t), c.inputs)
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > uint64(4*small.Memory) {
				t.Errorf("%d MiB were allocated on the way", allocated/mega)
			}
			switch {
			case c.limit == "":
				if err != nil {
					t.Errorf("got %v", err)
				}
			case refusal.CodeOf(err) != refusal.Invalid, !strings.Contains(err.Error(), c.limit),
				len(err.Error()) > 1000:
				t.Errorf("got %.200v, want %s", err, c.limit)
			case strings.HasPrefix(c.limit, "HEDDLE") && refusal.LimitOf(err) != c.limit:
				t.Errorf("the limit is told as %q", refusal.LimitOf(err))
			}
		})
	}
}

// ending is a context that ends after a number of checks.
type ending struct {
	context.Context
	looks int
}

var errEnded = errors.New("the run is over")

func (e *ending) Err() error {
	if e.looks--; e.looks < 0 {
		return errEnded
	}
	return nil
}

// Long computations ask again and again whether the run still wants them.
func TestLongWorkEnds(t *testing.T) {
	const format, text = "change-data-format", "text-manipulation"
	long := times("", "a,b\n", mega, "")
	twice := `{"$defs":{"z":{}` // a schema that refers to itself twice, 30 times
	for i := range 30 {
		next := fmt.Sprintf("s%d", i+1)
		if i == 29 {
			next = "z"
		}
		twice += fmt.Sprintf(`,"s%d":{"allOf":[{"$ref":"#/$defs/%s"},{"$ref":"#/$defs/%s"}]}`, i, next, next)
	}
	rows := make([]any, 300)
	for i := range rows {
		row := map[string]any{}
		for j := range 20 {
			row[fmt.Sprintf("k%d-%d", i, j)] = times("", "x", 500, "")
		}
		rows[i] = row
	}
	for name, c := range map[string]worst{
		"CSV":     {format, "deserializeFromCsv", in("data", long), ""},
		"YAML":    {format, "deserializeFromYaml", in("data", times("|\n", " a\n", mega, "")), ""},
		"XML":     {format, "deserializeFromXml", in("data", times("<r>", "text ", mega, "</r>")), ""},
		"JSON":    {format, "deserializeJsonl", in("data", times("", "[1,1,1]\n", mega/2, "")), ""},
		"form":    {format, "deserializeFormData", in("data", times("", "abc&", mega, "")), ""},
		"to CSV":  {format, "binaryToCsv", in("data", rows), ""},
		"to XML":  {format, "binaryToXml", in("data", rows), ""},
		"to YAML": {format, "binaryToYaml", in("data", rows), ""},
		"replace": {text, "replaceMultipleSubstring", in("text", times("", "x", 3*mega, ""), "replaceWith",
			doubling()), ""},
		"split":     {text, "split", in("text", times("", "x", mega, ""), "separator", ""), ""},
		"duplicate": {"collection-tools", "deduplicate", in("listInput", list(mega)), ""},
		"schema": {"collection-tools", "validateJsonSchema",
			in("jsonInput", "{}", "jsonSchema", twice+`},"$ref":"#/$defs/s0"}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			action, err := component.New(Components()...).Lookup(c.component, c.action)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := action.Perform(&ending{t.Context(), 2}, newStep(t), c.inputs); !errors.Is(err, errEnded) {
				t.Errorf("got %.200v", err)
			}
		})
	}
}
