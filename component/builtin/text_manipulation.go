package builtin

import (
	"context"
	"encoding/base64"
	"html"
	"math"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// The keys of actions and inputs that occur in definitions are as there; others follow the labels in the same
// manner.
func init() {
	register(component.Component{
		Key: "text-manipulation", Label: "Text manipulation", Category: "Data",
		Description: "Works with text. Places and lengths are counted as JavaScript does, in UTF-16 units.",
		Actions: []component.Action{
			component.NewAction("decodeBase64", "Decode Base64",
				"Gives what Base64 text stands for: text, or binary data if it is no UTF-8.", pure(decodeBase64)),
			component.NewAction("encodeBase64", "Encode Base64", "Gives the Base64 text of text or binary data.",
				pure(encodeBase64)),
			component.NewAction("slice", "Extract substring", "Gives a part of a text.", pure(slice)),
			component.NewAction("replace", "Find & replace", "Replaces a text wherever it is in another one.",
				pure(replace)),
			component.NewAction("replaceMultipleSubstring", "Find & replace multiple substrings",
				"Replaces several texts, one after another, wherever they are in another one.", pure(replaceSeveral)),
			component.NewAction("htmlDecode", "HTML decode", "Replaces HTML character references by the characters.",
				ofText(1, html.UnescapeString)),
			component.NewAction("htmlEncode", "HTML encode", "Replaces <, >, &, ' and \" by HTML character references.",
				ofText(5, html.EscapeString)),
			component.NewAction("join", "Join", "Joins texts to one.", pure(join)),
			component.NewAction("joinLines", "Join lines", "Joins texts to one, with line breaks between.",
				pure(joinLines)),
			component.NewAction("lowerCase", "Lower case", "Makes all letters lower case.",
				ofText(3, func(s string) string { return cases.Lower(language.Und).String(s) })),
			component.NewAction("match", "Match regex",
				"Gives what a JavaScript regular expression finds: the whole match and its groups, or with the flag g all matches; null if there is none.", match),
			component.NewAction("trim", "Remove whitespace", "Removes whitespace at both ends.",
				ofText(0, func(s string) string { return strings.TrimFunc(s, value.IsSpace) })),
			component.NewAction("splitLines", "Split lines", "Gives the lines of a text as a list.", pure(splitLines)),
			component.NewAction("split", "Split string",
				"Gives the parts of a text between separators as a list; without a separator, its characters.",
				pure(split)),
			component.NewAction("stringLength", "String length", "Counts the characters.",
				pure(func(_ *value.Budget, in textInputs) (any, error) {
					units := 0
					for _, c := range in.Text {
						units += utf16.RuneLen(c)
					}
					return float64(units), nil
				})),
			component.NewAction("upperCase", "Upper case", "Makes all letters upper case.",
				ofText(3, func(s string) string { return cases.Upper(language.Und).String(s) })),
		},
	})
}

type textInputs struct {
	Text string `key:"text" label:"Text" doc:"The text. Lists and objects are their JSON."`
}

type fileInputs struct {
	Text any `key:"text" label:"Text or file" doc:"Text, binary data, or an object with data and contentType."`
}

type sliceInputs struct {
	textInputs
	Start int    `key:"sliceStart" label:"Slice start" default:"0" doc:"Where the part begins, from 0; a negative number counts from the end."`
	Stop  string `key:"sliceStop" label:"Slice stop" doc:"The place behind the part; the end of the text if empty; a negative number counts from there."`
}

type replaceInputs struct {
	textInputs
	Find    string `key:"find" label:"Find" doc:"What to look for, as it is. If empty, the text stays as it is."`
	Replace string `key:"replace" label:"Replace" doc:"What to put in its place."`
}

type replaceSeveralInputs struct {
	textInputs
	With []value.KeyValue `key:"replaceWith" label:"Replace with" doc:"For each text to look for, what to put in its place."`
}

type joinInputs struct {
	Strings   any    `key:"strings" label:"Strings" type:"list" doc:"The texts to join."`
	Separator string `key:"separator" label:"Separator" doc:"What to put between them."`
}

type joinLinesInputs struct {
	Strings any    `key:"strings" label:"Strings" type:"list" doc:"The texts to join."`
	Newline string `key:"newlineType" label:"Newline type" default:"\\n" doc:"The line break: \\n, \\r\\n, or any other text."`
	Number  int    `key:"numberOfNewlines" label:"Number of newlines" default:"1" doc:"How many line breaks to put between two texts, at most 1000."`
}

type matchInputs struct {
	textInputs
	Regex string `key:"regex" label:"Regex" required:"true" doc:"A JavaScript regular expression, without slashes."`
	Flags string `key:"regexFlags" label:"Regex flags" doc:"Flags of the expression, such as g for all matches or i for either case."`
}

type splitLinesInputs struct {
	textInputs
	Filter bool `key:"filterBlankLines" label:"Filter blank lines" default:"true" doc:"Leave out lines in which nothing is but whitespace."`
}

type splitInputs struct {
	textInputs
	Separator string `key:"separator" label:"Separator" doc:"What stands between the parts."`
}

// ofText adapts a function of a text, whose result is at most so many times as long, to an action's function.
func ofText(times int, do func(string) string) actionFunc[textInputs] {
	return pure(func(budget *value.Budget, in textInputs) (any, error) {
		if err := budget.Hold(times * len(in.Text)); err != nil {
			return nil, err
		}
		text := do(in.Text)
		return text, budget.Room(len(text))
	})
}

// decodeBase64 takes either alphabet, with or without padding and line breaks.
func decodeBase64(budget *value.Budget, in textInputs) (any, error) {
	if err := budget.Hold(2 * len(in.Text)); err != nil {
		return nil, err
	}
	text := strings.NewReplacer("-", "+", "_", "/", "=", "", "\n", "", "\r", "", " ", "").Replace(in.Text)
	data, err := base64.RawStdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return nil, refusal.ForField(refusal.Invalid, "text", "Text is not Base64: %v", err)
	case utf8.Valid(data):
		return string(data), nil
	}
	return data, nil
}

func encodeBase64(budget *value.Budget, in fileInputs) (any, error) {
	text, rest, isText := textOf(in.Text)
	if !isText {
		text = budget.Text(rest)
	}
	if err := budget.Room(base64.StdEncoding.EncodedLen(len(text))); err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString([]byte(text)), nil
}

func slice(budget *value.Budget, in sliceInputs) (any, error) {
	if err := budget.Hold(8 * len(in.Text)); err != nil {
		return nil, err
	}
	units := utf16.Encode([]rune(in.Text))
	stop := len(units)
	if in.Stop != "" {
		n, ok := unquoted(budget, in.Stop).(float64)
		if !ok || n != float64(int(n)) {
			return nil, refusal.ForField(refusal.Invalid, "sliceStop", "Slice stop must be a whole number, not %q",
				excerpt(in.Stop, 40))
		}
		stop = int(n)
	}
	place := func(i int) int {
		if i < 0 {
			i += len(units)
		}
		return min(max(i, 0), len(units))
	}
	from, to := place(in.Start), place(stop)
	return string(utf16.Decode(units[min(from, to):to])), nil
}

func replace(budget *value.Budget, in replaceInputs) (any, error) {
	return replaced(budget, in.Text, in.Find, in.Replace)
}

func replaceSeveral(budget *value.Budget, in replaceSeveralInputs) (any, error) {
	text := in.Text
	for _, pair := range in.With {
		var err error
		if text, err = replaced(budget, text, pair.Key, budget.Text(pair.Value)); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// replaced computes the size of the result before it makes it: replacing can make a text grow without end.
func replaced(budget *value.Budget, text, find, by string) (string, error) {
	if find == "" {
		return text, nil
	}
	times := strings.Count(text, find)
	if len(by) > 0 {
		if err := fits(budget, len(text)-times*len(find), times, len(by)); err != nil {
			return "", err
		}
	}
	return strings.ReplaceAll(text, find, by), budget.Spend(len(text))
}

// fits refuses a result of so many bytes and so many times a text.
func fits(budget *value.Budget, bytes, times, length int) error {
	if length > 0 && times > (math.MaxInt-bytes)/length {
		return budget.Room(math.MaxInt)
	}
	return budget.Room(bytes + times*length)
}

func join(budget *value.Budget, in joinInputs) (any, error) {
	return joined(budget, in.Strings, in.Separator)
}

func joinLines(budget *value.Budget, in joinLinesInputs) (any, error) {
	if in.Number < 0 || in.Number > 1000 {
		return nil, refusal.ForField(refusal.Invalid, "numberOfNewlines",
			"Number of newlines must be from 0 to 1000, not %d", in.Number)
	}
	newline := strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(in.Newline)
	if err := fits(budget, 0, in.Number, len(newline)); err != nil {
		return nil, err
	}
	return joined(budget, in.Strings, strings.Repeat(newline, in.Number))
}

func joined(budget *value.Budget, list any, separator string) (any, error) {
	if list == nil || list == "" {
		return "", nil
	}
	elements, err := listOf(budget, "strings", list)
	if err != nil {
		return nil, err
	}
	elements = onlyList(elements)
	out := budget.NewOutput()
	for i, element := range elements {
		if i > 0 {
			_, err = out.WriteString(separator)
		}
		if err == nil {
			_, err = out.WriteString(budget.Text(element))
		}
		if err != nil {
			return nil, err
		}
	}
	return out.Result()
}

const matchScript = `(text, source, flags) => {
	const found = text.match(new RegExp(source, flags));
	return found && [...found].map((part) => part ?? null);
}`

func match(ctx context.Context, step component.Step, in matchInputs) (component.Result, error) {
	data, err := step.Script(ctx, component.ScriptCall{Source: matchScript, Args: []any{in.Text, in.Regex, in.Flags},
		Log: step.Log})
	return component.Result{Data: data}, err
}

func splitLines(budget *value.Budget, in splitLinesInputs) (any, error) {
	lines := []any{}
	for line := range strings.SplitSeq(in.Text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if !in.Filter || strings.TrimFunc(line, value.IsSpace) != "" {
			if err := budget.Hold(cellBytes); err != nil {
				return nil, err
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func split(budget *value.Budget, in splitInputs) (any, error) {
	parts := []any{}
	if in.Text == "" && in.Separator == "" {
		return parts, nil
	}
	for part := range strings.SplitSeq(in.Text, in.Separator) {
		if err := budget.Hold(cellBytes); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}
