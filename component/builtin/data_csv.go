package builtin

import (
	"encoding/csv"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"heddle/component/value"
	"heddle/domain/refusal"
)

const csvDoc = "With a header, CSV is a list of objects, whose values are text; without, a list of lists. In writing, columns are in alphabetical order, " +
	"objects inside objects become columns with __ between the names, and lists are JSON."

type csvInputs struct {
	dataInputs
	Header    bool `key:"csvHeader" label:"CSV header" default:"true" doc:"Whether the first line names the columns."`
	Unflatten bool `key:"unflattenKeys" label:"Un-flatten CSV keys" default:"false" doc:"Make objects inside objects of columns with __ in their names."`
}

func readCSV(budget *value.Budget, in csvInputs) (any, error) {
	text, err := requiredText(budget, in.Data, "CSV")
	if err != nil {
		return nil, err
	}
	rows, err := csvRows(budget, "data", text, ',')
	if err != nil || !in.Header {
		return rows, err
	}
	return csvObjects(budget, rows, in.Unflatten)
}

// cellBytes is the size of a cell besides its text: its place in a row, and its string header.
const cellBytes = value.SlotBytes + value.TextBytes

// csvRows reads rows, which may differ in length. It counts them before it holds them.
func csvRows(budget *value.Budget, field, text string, delimiter rune) ([]any, error) {
	if err := budget.Hold(csvCells(text, delimiter)*cellBytes + len(text)); err != nil {
		return nil, err
	}
	reader := csv.NewReader(budget.Reader(text))
	reader.FieldsPerRecord, reader.Comma, reader.ReuseRecord = -1, delimiter, true
	rows := []any{}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, refusal.ForField(refusal.Invalid, field, "this is not CSV: %v", err)
		}
		row := make([]any, len(record))
		for j, cell := range record {
			row[j] = cell
		}
		rows = append(rows, row)
	}
}

// csvCells counts the cells of CSV, and each line's end as one.
func csvCells(text string, delimiter rune) int {
	cells, quoted := 1, false
	var first [utf8.UTFMax]byte
	utf8.EncodeRune(first[:], delimiter)
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == first[0] || c == '\n'):
			cells++
		}
	}
	return cells
}

// csvObjects makes objects by the names in the first row. Cells beyond those have no name and are left out.
func csvObjects(budget *value.Budget, rows []any, unflatten bool) ([]any, error) {
	objects := []any{}
	if len(rows) == 0 {
		return objects, nil
	}
	paths, err := csvPaths(rows[0].([]any), unflatten)
	if err != nil {
		return nil, err
	}
	for _, row := range rows[1:] {
		object := map[string]any{}
		for i, cell := range row.([]any) {
			if i >= len(paths) {
				break
			}
			if err := place(budget, object, paths[i], cell); err != nil {
				return nil, err
			}
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// maxCSVPath is how deep a column's name may nest objects.
const maxCSVPath = 100

// csvPaths returns for each column the names that lead to its value.
func csvPaths(names []any, unflatten bool) ([][]string, error) {
	paths := make([][]string, len(names))
	for i, name := range names {
		paths[i] = []string{name.(string)}
		if !unflatten {
			continue
		}
		if paths[i] = strings.SplitN(name.(string), "__", maxCSVPath+1); len(paths[i]) > maxCSVPath {
			return nil, refusal.ForField(refusal.Invalid, "data",
				"the name of column %d leads more than %d objects deep: give it fewer __", i+1, maxCSVPath)
		}
	}
	return paths, nil
}

func place(budget *value.Budget, object map[string]any, path []string, value any) error {
	for _, name := range path[:len(path)-1] {
		inner, isObject := object[name].(map[string]any)
		if !isObject {
			inner = map[string]any{}
			if err := put(budget, object, name, inner); err != nil {
				return err
			}
		}
		object = inner
	}
	return put(budget, object, path[len(path)-1], value)
}

func writeCSV(budget *value.Budget, v any) (string, error) {
	return csvText(budget, "data", unquoted(budget, v), ',', true)
}

// csvText writes a list of objects, or of lists, or one object.
func csvText(budget *value.Budget, field string, v any, delimiter rune, header bool) (string, error) {
	if object, isObject := v.(map[string]any); isObject {
		v = []any{object}
	}
	list, err := listOf(budget, field, v)
	if err != nil {
		return "", err
	}
	t := table{budget: budget, names: map[string]bool{}}
	for i, element := range list {
		switch x := element.(type) {
		case map[string]any:
			flat := map[string]string{}
			if err := t.flatten(flat, "", x, 1); err != nil {
				return "", err
			}
			t.objects = append(t.objects, flat)
		case []any:
			t.lists = append(t.lists, x)
		default:
			return "", refusal.ForField(refusal.Invalid, field, "row %d is %s; a row is an object or a list", i,
				shape(element))
		}
	}
	if len(t.names) > 0 && len(t.lists) > 0 {
		return "", refusal.ForField(refusal.Invalid, field, "rows must be all objects or all lists")
	}
	text, err := t.write(delimiter, header)
	if err != nil && budget.Err() == nil {
		err = refusal.ForField(refusal.Invalid, field, "this cannot be written as CSV: %v", err)
	}
	return text, err
}

// table is the input of CSV: objects, with the columns of all, or lists.
type table struct {
	budget  *value.Budget
	names   map[string]bool
	objects []map[string]string
	lists   [][]any
}

// flatten puts the values of an object under the names of their columns.
func (t *table) flatten(flat map[string]string, prefix string, object map[string]any, depth int) error {
	if depth > value.MaxDepth {
		return refusal.ForField(refusal.Invalid, "data", "objects are nested deeper than %d levels", value.MaxDepth)
	}
	for name, val := range object {
		name = prefix + name
		if inner, isObject := val.(map[string]any); isObject && len(inner) > 0 {
			if err := t.budget.Hold(len(name)); err != nil {
				return err
			}
			if err := t.flatten(flat, name+"__", inner, depth+1); err != nil {
				return err
			}
			continue
		}
		text := t.budget.Text(val)
		size := value.ObjectBytes(len(flat)+1) - value.ObjectBytes(len(flat)) + len(name) + len(text)
		if err := t.budget.Hold(size); err != nil {
			return err
		}
		flat[name] = text
		t.names[name] = true
	}
	return nil
}

// write writes row by row: if rows have few columns in common, all cells together far exceed the input.
func (t *table) write(delimiter rune, header bool) (string, error) {
	out := t.budget.NewOutput()
	writer := csv.NewWriter(out)
	writer.Comma = delimiter
	write := func(record []string) error {
		if len(record) != 1 || record[0] != "" {
			return writer.Write(record)
		}
		writer.Flush() // the library would leave the line empty, and an empty line is no row
		_, err := out.WriteString("\"\"\n")
		return err
	}
	names := slices.Sorted(maps.Keys(t.names))
	if len(names) > 0 {
		if err := t.budget.Room(len(names) * len(t.objects)); err != nil { // each cell takes a byte at least
			return "", err
		}
		if header {
			if err := write(names); err != nil {
				return "", err
			}
		}
		record := make([]string, len(names))
		for _, row := range t.objects {
			for i, name := range names {
				record[i] = row[name]
			}
			if err := write(record); err != nil {
				return "", err
			}
		}
	}
	for _, list := range t.lists {
		record := make([]string, len(list))
		for i, cell := range list {
			record[i] = t.budget.Text(cell)
		}
		if err := write(record); err != nil {
			return "", err
		}
	}
	writer.Flush()
	if err := writer.Error(); err != nil {
		return "", err
	}
	return out.Result()
}
