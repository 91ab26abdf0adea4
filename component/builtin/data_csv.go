package builtin

import (
	"encoding/csv"
	"maps"
	"slices"
	"strings"

	"heddle/component"
	"heddle/domain"
)

const csvDoc = "With a header, CSV is a list of objects, whose values are text; without, a list of lists. In writing, columns are in alphabetical order, " +
	"objects inside objects become columns with __ between the names, and lists are JSON."

type csvInputs struct {
	dataInputs
	Header    bool `key:"csvHeader" label:"CSV header" default:"true" doc:"Whether the first line names the columns."`
	Unflatten bool `key:"unflattenKeys" label:"Un-flatten CSV keys" default:"false" doc:"Make objects inside objects of columns with __ in their names."`
}

func readCSV(in csvInputs) (any, error) {
	text, err := requiredText(in.Data, "CSV")
	if err != nil {
		return nil, err
	}
	rows, err := csvRows("data", text, ',')
	if err != nil || !in.Header {
		return rows, err
	}
	return csvObjects(rows, in.Unflatten), nil
}

// csvRows reads rows, which may differ in length.
func csvRows(field, text string, delimiter rune) ([]any, error) {
	reader := csv.NewReader(strings.NewReader(text))
	reader.FieldsPerRecord, reader.Comma = -1, delimiter
	records, err := reader.ReadAll()
	if err != nil {
		return nil, domain.RefuseField(domain.Invalid, field, "this is not CSV: %v", err)
	}
	rows := make([]any, len(records))
	for i, record := range records {
		row := make([]any, len(record))
		for j, cell := range record {
			row[j] = cell
		}
		rows[i] = row
	}
	return rows, nil
}

// csvObjects makes objects by the names in the first row. Cells beyond those have no name and are left out.
func csvObjects(rows []any, unflatten bool) []any {
	objects := []any{}
	if len(rows) == 0 {
		return objects
	}
	names := rows[0].([]any)
	for _, row := range rows[1:] {
		object := map[string]any{}
		for i, cell := range row.([]any) {
			if i >= len(names) {
				break
			}
			path := []string{names[i].(string)}
			if unflatten {
				path = strings.Split(path[0], "__")
			}
			place(object, path, cell)
		}
		objects = append(objects, object)
	}
	return objects
}

func place(object map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		inner, isObject := object[name].(map[string]any)
		if !isObject {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	object[path[len(path)-1]] = value
}

func writeCSV(v any) (string, error) { return csvText("data", unquoted(v), ',', true) }

// csvText writes a list of objects, or of lists, or one object.
func csvText(field string, v any, delimiter rune, header bool) (string, error) {
	if object, isObject := v.(map[string]any); isObject {
		v = []any{object}
	}
	list, err := listOf(field, v)
	if err != nil {
		return "", err
	}
	names := map[string]bool{}
	flat := make([]map[string]string, len(list))
	var records [][]string
	for i, element := range list {
		switch x := element.(type) {
		case map[string]any:
			flat[i] = map[string]string{}
			flattenInto(flat[i], "", x)
			for name := range flat[i] {
				names[name] = true
			}
		case []any:
			record := make([]string, len(x))
			for j, cell := range x {
				record[j] = component.Text(cell)
			}
			records = append(records, record)
		default:
			return "", domain.RefuseField(domain.Invalid, field, "row %d is %s; a row is an object or a list", i, shape(element))
		}
	}
	if len(names) > 0 {
		if len(records) > 0 {
			return "", domain.RefuseField(domain.Invalid, field, "rows must be all objects or all lists")
		}
		records = csvRecords(flat, slices.Sorted(maps.Keys(names)), header)
	}
	var b strings.Builder
	writer := csv.NewWriter(&b)
	writer.Comma = delimiter
	if err := writer.WriteAll(records); err != nil {
		return "", domain.RefuseField(domain.Invalid, field, "this cannot be written as CSV: %v", err)
	}
	return b.String(), nil
}

func csvRecords(rows []map[string]string, names []string, header bool) [][]string {
	var records [][]string
	if header {
		records = append(records, names)
	}
	for _, row := range rows {
		record := make([]string, len(names))
		for i, name := range names {
			record[i] = row[name]
		}
		records = append(records, record)
	}
	return records
}

func flattenInto(flat map[string]string, prefix string, object map[string]any) {
	for name, value := range object {
		if inner, isObject := value.(map[string]any); isObject && len(inner) > 0 {
			flattenInto(flat, prefix+name+"__", inner)
		} else {
			flat[prefix+name] = component.Text(value)
		}
	}
}
