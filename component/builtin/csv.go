package builtin

import (
	"unicode/utf8"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

func init() {
	register(component.Component{
		Key: "csv", Label: "CSV", Category: "Data",
		Description: "Reads and writes CSV files.",
		Actions: []component.Action{
			component.NewAction("generateFromObject", "Generate CSV from array",
				"Writes a list of objects, or of lists, as CSV. Columns of objects are in alphabetical order; lists in cells are JSON.", pure(generateCSV)),
			component.NewAction("parse", "Parse", "Reads CSV into a list of rows, each a list of text.",
				pure(parseCSV)),
		},
	})
}

type generateCSVInputs struct {
	Rows      any    `key:"inputArray" label:"Input array" type:"list" required:"true" doc:"The rows."`
	Delimiter string `key:"delimiter" label:"Delimiter" default:"," doc:"The character between cells."`
	Header    bool   `key:"includeHeader" label:"Include header?" default:"true" doc:"Whether the first line names the columns."`
}

type parseCSVInputs struct {
	CSV       any    `key:"csv" label:"CSV data" required:"true" doc:"Text, or a file with data and contentType."`
	Delimiter string `key:"delimiter" label:"Delimiter" default:"," doc:"The character between cells."`
	Ignore    bool   `key:"ignoreHeaders" label:"Ignore headers" default:"false" doc:"Leave out the first row."`
}

func generateCSV(budget *value.Budget, in generateCSVInputs) (any, error) {
	delimiter, err := oneCharacter(in.Delimiter)
	if err != nil {
		return nil, err
	}
	return csvText(budget, "inputArray", unquoted(budget, in.Rows), delimiter, in.Header)
}

func parseCSV(budget *value.Budget, in parseCSVInputs) (any, error) {
	delimiter, err := oneCharacter(in.Delimiter)
	if err != nil {
		return nil, err
	}
	text, err := requiredText(budget, in.CSV, "CSV")
	if err != nil {
		return nil, err
	}
	rows, err := csvRows(budget, "csv", text, delimiter)
	if err != nil {
		return nil, err
	}
	if in.Ignore {
		rows = rows[min(1, len(rows)):]
	}
	return rows, nil
}

func oneCharacter(delimiter string) (rune, error) {
	if delimiter == `\t` {
		delimiter = "\t"
	}
	r, size := utf8.DecodeRuneInString(delimiter)
	if size != len(delimiter) || r == '"' || r == '\r' || r == '\n' || r == utf8.RuneError {
		return 0, refusal.ForField(refusal.Invalid, "delimiter",
			"Delimiter must be one character that is no quote and no line break")
	}
	return r, nil
}
