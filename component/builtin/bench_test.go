package builtin

import (
	"testing"

	"heddle/component"
)

// BenchmarkFormats reads and writes records, and the input that takes each format longest for its size. Bytes
// are those of the input, so that memory and time can be compared with it.
func BenchmarkFormats(b *testing.B) {
	const format = "change-data-format"
	records := numbered("[",
		`{"id":%[1]d,"name":"Customer %[1]d","mail":"c%[1]d@example.test","city":"Berlin","active":true},`, 5000,
		`{"id":0}]`)
	perform := func(b *testing.B, action string, inputs map[string]any) any {
		do, err := component.New(Components()...).Lookup(format, action)
		if err != nil {
			b.Fatal(err)
		}
		result, err := do.Perform(b.Context(), nil, inputs)
		if err != nil {
			b.Fatal(err)
		}
		return result.Data
	}
	value := perform(b, "deserializeFromJson", in("data", records))
	written := func(to string) any { return perform(b, "binaryTo"+to, in("data", value)) }
	for name, c := range map[string]worst{
		"JSON":          {format, "deserializeFromJson", in("data", records), ""},
		"JSON, numbers": {format, "deserializeFromJson", in("data", times("[", "1,", mega/2, "1]")), ""},
		"CSV":           {format, "deserializeFromCsv", in("data", written("Csv")), ""},
		"CSV, commas": {format, "deserializeFromCsv", in("data", times("", ",", mega/2, ""), "csvHeader", "false"),
			""},
		"XML":         {format, "deserializeFromXml", in("data", written("Xml")), ""},
		"XML, empty":  {format, "deserializeFromXml", in("data", times("<r>", "<a/>", mega/8, "</r>")), ""},
		"YAML":        {format, "deserializeFromYaml", in("data", written("Yaml")), ""},
		"YAML, keys":  {format, "deserializeFromYaml", in("data", numbered("", "key%d: 1\n", 50_000, "")), ""},
		"YAML, items": {format, "deserializeFromYaml", in("data", times("[", "a,", mega/4, "a]")), ""},
		"form":        {format, "deserializeFormData", in("data", numbered("", "k%d=a+%%41&", 20_000, "")), ""},
		"to CSV":      {format, "jsonToCsv", in("data", records), ""},
		"to XML":      {format, "jsonToXml", in("data", records), ""},
		"to YAML":     {format, "jsonToYaml", in("data", records), ""},
		"pretty":      {format, "prettyPrint", in("data", records), ""},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(c.inputs["data"].(string))))
			b.ReportAllocs()
			for b.Loop() {
				perform(b, c.action, c.inputs)
			}
		})
	}
}
