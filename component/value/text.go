package value

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text renders a value in a template and in a text input: text as it is, binary data as UTF-8, nothing as
// nothing, numbers as JavaScript prints them, lists and objects as compact JSON with the keys in alphabetical
// order.
func Text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case []byte:
		return string(x)
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return numberText(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case int:
		return strconv.Itoa(x)
	}
	b, err := JSON(v)
	if err != nil {
		return fmt.Sprintf("[%T]", v) // not a value at all; a template is no place to fail for it
	}
	return string(b)
}

// numberText prints a number by JavaScript's rules. encoding/json follows the same ones, apart from
// what JSON cannot say.
func numberText(x float64) string {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	case x == 0:
		return "0" // of either sign
	}
	var b [32]byte // no number is longer
	w := writer{out: b[:0]}
	_ = w.number(x) // cannot fail for a finite one
	return string(w.out)
}

func textOrBase64(b []byte) string {
	if IsText(b) {
		return string(b)
	}
	return base64.StdEncoding.EncodeToString(b)
}

const upperHex = "0123456789ABCDEF"

// QueryText escapes characters that must not stand in a URL's query, such as spaces, as browsers do. Existing
// escapes stay, and so does all else.
func QueryText(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c > ' ' && c < 0x7f && !strings.ContainsRune(`"#<>'`, rune(c)) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

// manyControls is how many control characters text must have to be taken for binary data.
const manyControls = 4096

// IsText reports whether bytes are text: UTF-8 with few control characters, each of which takes six bytes in
// JSON.
func IsText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	controls := 0
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			controls++
		}
	}
	return controls <= max(manyControls, len(b)/8)
}

// Brief shows a value in an error message without flooding it.
func Brief(v any) string {
	switch x := v.(type) {
	case []any, []KeyValue:
		return "a list"
	case map[string]any:
		return "an object"
	case []byte:
		return "binary data"
	case string:
		x = x[:min(len(x), 200)] // which has surely more than 40 characters
		if r := []rune(x); len(r) > 40 {
			x = string(r[:40]) + "…"
		}
		return fmt.Sprintf("%q", x)
	}
	return Text(v)
}

// Shorten shortens a text to n characters, the last of which then is an ellipsis.
func Shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:max(n-1, 0)]) + "…"
}
