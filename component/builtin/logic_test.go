package builtin

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

func TestBranchOnValue(t *testing.T) {
	mappings := []value.KeyValue{
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
		got, err := newStep(t).perform("branch", "branchOnValue",
			map[string]any{"inputValue": c.value, "branchValueMappings": mappings})
		if diff := cmp.Diff(component.Result{Data: c.want, Branch: c.want}, got); diff != "" || err != nil {
			t.Errorf("%v: %v %s", c.value, err, diff)
		}
	}
	got, err := newStep(t).perform("branch", "branchOnValue",
		map[string]any{"inputValue": "x", "branchValueMappings": []any{}})
	if got.Branch != "Else" || err != nil {
		t.Errorf("without branches: got %v, %v", got, err)
	}
}

func TestWriteLog(t *testing.T) {
	s := newStep(t)
	for _, in := range []map[string]any{
		{"level": "", "message": "plain"}, {"level": "warn", "message": map[string]any{"a": 1.0}},
		{"level": "error", "message": nil},
	} {
		if got, err := s.perform("log", "writeLog", in); err != nil || got.Data != nil {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if diff := cmp.Diff([]string{"info: plain", `warn: {"a":1}`, "error: "}, s.lines); diff != "" {
		t.Error(diff)
	}
	_, err := s.perform("log", "writeLog", map[string]any{"level": "loud"})
	if want := `level: Level must be one of trace, debug, info, warn, error, fatal, not "loud"`; err == nil ||
		err.Error() != want {
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
		"headers": []value.KeyValue{{Key: "X-A", Value: 1.0}, {Key: "", Value: "dropped"}},
	})
	want := &component.Response{StatusCode: 202, ContentType: "text/plain", Headers: map[string]string{"X-A": "1"},
		Body: "thanks"}
	if diff := cmp.Diff(want, got.Response); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, status := range []string{"99", "700", "ok"} {
		if _, err := trigger.Receive(t.Context(), payload,
			map[string]any{"statusCode": status}); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: got %v", status, err)
		}
	}
}

func TestWriteMetric(t *testing.T) {
	s := newStep(t)
	for _, metrics := range []any{[]value.KeyValue{{Key: "rows", Value: "5"}, {Key: "kind", Value: "full"}}, []any{}} {
		if _, err := s.perform("log", "writeMetric", map[string]any{"metrics": metrics}); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{`metric: {"kind":"full","rows":5}`}, s.lines); diff != "" {
		t.Error(diff)
	}
}

func TestSelectExecutedStepResult(t *testing.T) {
	for _, c := range []struct{ results, want any }{
		{[]any{nil, false, "later"}, false}, {[]any{nil, nil}, nil}, {[]any{}, nil}, {nil, nil},
	} {
		got, err := newStep(t).perform("branch", "selectExecutedStepResult", map[string]any{"stepResults": c.results})
		if !cmp.Equal(c.want, got.Data) || err != nil {
			t.Errorf("%v: got %v, %v", c.results, got.Data, err)
		}
	}
}

func TestLoopOverItems(t *testing.T) {
	for name, c := range map[string]struct {
		items any
		want  []any
	}{
		"list":  {[]any{1.0, nil}, []any{1.0, nil}},
		"empty": {[]any{}, []any{}},
		"object": {map[string]any{"b": 2.0, "a": 1.0}, []any{map[string]any{"key": "a", "value": 1.0},
			map[string]any{"key": "b", "value": 2.0}}},
		"empty object":    {map[string]any{}, []any{}},
		"keys and values": {[]value.KeyValue{{Key: "a", Value: 1.0}}, []any{map[string]any{"key": "a", "value": 1.0}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newStep(t).perform("loop", "loopOverItems", map[string]any{"items": c.items})
			if diff := cmp.Diff(component.Result{Items: c.want}, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
	for _, bad := range []any{nil, "", "abc", "[1]", 5.0, true, []byte("x")} {
		if got, err := newStep(t).perform("loop", "loopOverItems",
			map[string]any{"items": bad}); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%v: got %v, %v", bad, got, err)
		}
	}
}

func TestLoopNTimes(t *testing.T) {
	for count, want := range map[any]int{"3": 3, 2.0: 2, "0": 0, "": 1000, nil: 1000} {
		got, err := newStep(t).perform("loop", "loopNTimes", map[string]any{"iterationCount": count})
		if len(got.Items) != want || err != nil || want > 0 && got.Items[want-1] != float64(want-1) {
			t.Errorf("%v: got %d items, %v", count, len(got.Items), err)
		}
	}
	for _, bad := range []any{"-1", "1000001", "many", "1.5"} {
		if _, err := newStep(t).perform("loop", "loopNTimes",
			map[string]any{"iterationCount": bad}); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%v: got %v", bad, err)
		}
	}
}

// The engine relies on the properties of actions and triggers.
func TestWhatActionsAre(t *testing.T) {
	registry := component.New(Components()...)
	action := func(key, action string) component.Action {
		a, err := registry.Lookup(key, action)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if !action("loop", "loopOverItems").Loop || !action("loop", "loopNTimes").Loop ||
		!action("loop", "breakLoop").Break ||
		!action("stop-execution", "stopExecution").Stop || !action("branch", "branchOnExpression").Branches ||
		action("sleep", "sleep").Stop {
		t.Error("an action does not say what it is")
	}
	if got, err := newStep(t).perform("loop", "breakLoop", nil); got.Data != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	for key, want := range map[[2]string]component.Start{
		{"schedule-triggers", "schedule"}:         component.StartSchedule,
		{"management-triggers", "instanceDeploy"}: component.StartDeploy,
		{"management-triggers", "instanceRemove"}: component.StartRemove,
		{"webhook-triggers", "webhook"}:           component.StartWebhook,
	} {
		trigger, err := registry.LookupTrigger(key[0], key[1])
		if err != nil || trigger.Start != want {
			t.Fatalf("%v: got %v, %v", key, trigger.Start, err)
		}
		payload := map[string]any{"body": nil}
		if got, err := trigger.Receive(t.Context(), payload, nil); !cmp.Equal(got.Data, any(payload)) || err != nil {
			t.Errorf("%v: got %v, %v", key, got, err)
		}
	}
}

func TestStopExecution(t *testing.T) {
	got, err := newStep(t).perform("stop-execution", "stopExecution",
		map[string]any{"statusCode": "", "contentType": "", "jsonBody": "", "headers": []any{}})
	if diff := cmp.Diff(component.Result{Data: "", StatusCode: 200, ContentType: "application/json"},
		got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	got, err = newStep(t).perform("stop-execution", "stopExecution", map[string]any{
		"statusCode": "404", "contentType": "text/plain", "jsonBody": map[string]any{"a": 1.0},
		"headers": []value.KeyValue{{Key: "X-A", Value: 1.0}}})
	want := component.Result{Data: map[string]any{"a": 1.0}, StatusCode: 404, ContentType: "text/plain",
		Headers: map[string]string{"X-A": "1"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, status := range []string{"99", "600", "no"} {
		if _, err := newStep(t).perform("stop-execution", "stopExecution",
			map[string]any{"statusCode": status}); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: got %v", status, err)
		}
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for ms, want := range map[any]time.Duration{"": time.Second, "250": 250 * time.Millisecond, 0.0: 0} {
			started := time.Now()
			if _, err := newStep(t).perform("sleep", "sleep", map[string]any{"ms": ms}); err != nil ||
				time.Since(started) != want {
				t.Errorf("%v: slept %v, %v", ms, time.Since(started), err)
			}
		}
		gone := errors.New("the run is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if _, err := sleep(ctx, nil, sleepInputs{Milliseconds: 60_000}); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
	})
	for _, bad := range []any{"-1", "3600001", "soon"} {
		if _, err := newStep(t).perform("sleep", "sleep",
			map[string]any{"ms": bad}); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%v: got %v", bad, err)
		}
	}
}

func TestInvokeFlow(t *testing.T) {
	s := newStep(t)
	got, err := s.perform("cross-flow", "invokeFlow", map[string]any{"flowName": "Other", "data": []any{1.0}})
	if err != nil || cmp.Diff(map[string]any{"executionId": "e2"}, got.Data) != "" ||
		cmp.Diff([]any{"Other", []any{1.0}}, s.invoked) != "" {
		t.Errorf("got %v, %v, invoked %v", got, err, s.invoked)
	}
	if _, err := s.perform("cross-flow", "triggerFlow", map[string]any{"flowName": ""}); err == nil ||
		err.Error() != "flowName: Flow name is required" {
		t.Errorf("without a name: %v", err)
	}
}

// The cursor is the one that was set, else the one that the execution was started with.
func TestCursor(t *testing.T) {
	trigger, err := component.New(Components()...).LookupTrigger("recursive-flow", "recursiveTrigger")
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[any]any{nil: "7", "text": "7", "own": "x"} {
		payload := map[string]any{"body": map[string]any{"data": body}}
		if body == "own" {
			payload["body"] = map[string]any{"data": map[string]any{"cursor": "x"}}
		}
		received, err := trigger.Receive(t.Context(), payload, map[string]any{"defaultCursor": "7"})
		if err != nil {
			t.Fatal(err)
		}
		s := newStep(t)
		s.payload = received.Data
		if got, err := s.perform("recursive-flow", "getCursor", nil); err != nil || got.Data != want {
			t.Errorf("%v: got %v, %v", body, got, err)
		}
		set, setErr := s.perform("recursive-flow", "setCursor", map[string]any{"cursor": 8.0})
		got, err := s.perform("recursive-flow", "getCursor", nil)
		if setErr != nil || err != nil || set.Data != 8.0 || got.Data != 8.0 {
			t.Errorf("set: got %v, then %v, %v", set, got, errors.Join(setErr, err))
		}
		if _, err := s.perform("recursive-flow", "invokeRecursive", nil); err != nil ||
			cmp.Diff([]any{"", map[string]any{"cursor": 8.0}}, s.invoked) != "" {
			t.Errorf("invoked %v, %v", s.invoked, err)
		}
	}
}
