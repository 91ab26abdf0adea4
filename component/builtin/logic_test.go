package builtin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/domain"
)

func TestBranchOnValue(t *testing.T) {
	mappings := []component.KeyValue{
		{Key: "Register", Value: "register"}, {Key: "Five", Value: "5"}, {Key: "Yes", Value: "true"},
		{Key: "Same again", Value: "register"}, {Key: "Object", Value: `{"a":1}`}, {Key: "Nothing said", Value: ""},
	}
	for _, c := range []struct {
		value any
		want  string
	}{
		{"register", "Register"}, {"Register", "Else"}, {5.0, "Five"}, {"5.0", "Else"}, {true, "Yes"}, {"true", "Yes"},
		{map[string]any{"a": 1.0}, "Object"}, {nil, "Else"}, {"other", "Else"}, {[]byte("register"), "Register"},
	} {
		got, err := newStep(t).perform("branch", "branchOnValue", map[string]any{"inputValue": c.value, "branchValueMappings": mappings})
		if diff := cmp.Diff(component.Result{Data: c.want, Branch: c.want}, got); diff != "" || err != nil {
			t.Errorf("%v: %v %s", c.value, err, diff)
		}
	}
	got, err := newStep(t).perform("branch", "branchOnValue", map[string]any{"inputValue": "x", "branchValueMappings": []any{}})
	if got.Branch != "Else" || err != nil {
		t.Errorf("without branches: got %v, %v", got, err)
	}
}

func TestWriteLog(t *testing.T) {
	s := newStep(t)
	for _, in := range []map[string]any{
		{"level": "", "message": "plain"}, {"level": "warn", "message": map[string]any{"a": 1.0}}, {"level": "error", "message": nil},
	} {
		if got, err := s.perform("log", "writeLog", in); err != nil || got.Data != nil {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if diff := cmp.Diff([]string{"info: plain", `warn: {"a":1}`, "error: "}, s.lines); diff != "" {
		t.Error(diff)
	}
	_, err := s.perform("log", "writeLog", map[string]any{"level": "loud"})
	if want := `level: Level must be one of trace, debug, info, warn, error, fatal, not "loud"`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestWebhookTrigger(t *testing.T) {
	trigger, err := component.New(Components()...).LookupTrigger("webhook-triggers", "webhook")
	if err != nil {
		t.Fatal(err)
	}
	payload := map[string]any{"body": map[string]any{"data": "x"}}
	asExported := map[string]any{"statusCode": "", "contentType": "", "headers": []any{}, "body": ""}
	got, err := trigger.Receive(t.Context(), payload, asExported)
	if diff := cmp.Diff(component.Result{Data: payload}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	got, err = trigger.Receive(t.Context(), payload, map[string]any{
		"statusCode": "202", "contentType": "text/plain", "body": "thanks",
		"headers": []component.KeyValue{{Key: "X-A", Value: 1.0}, {Key: "", Value: "dropped"}},
	})
	want := &component.Response{StatusCode: 202, ContentType: "text/plain", Headers: map[string]string{"X-A": "1"}, Body: "thanks"}
	if diff := cmp.Diff(want, got.Response); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, status := range []string{"99", "700", "ok"} {
		if _, err := trigger.Receive(t.Context(), payload, map[string]any{"statusCode": status}); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%s: got %v", status, err)
		}
	}
}
