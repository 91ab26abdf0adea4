package builtin

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestUUID(t *testing.T) {
	try(t, "uuid", []row{{"emptyUuid", nil, "00000000-0000-0000-0000-000000000000", ""},
		{"generateUuid", in("uuidCase", "mixed"), nil, "must be one of"}})
	for inputs, length := range map[string]int{"lower": 36, "upper": 32} {
		got, err := newStep(t).perform("uuid", "generateUuid", in("uuidCase", inputs, "removeDashes", length == 32))
		text, _ := got.Data.(string)
		if _, bad := uuid.Parse(text); bad != nil || err != nil || len(text) != length ||
			text != map[string]string{"lower": strings.ToLower(text), "upper": strings.ToUpper(text)}[inputs] {
			t.Errorf("%s: got %v, %v", inputs, got.Data, err)
		}
	}
}
