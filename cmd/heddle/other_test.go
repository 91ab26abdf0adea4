package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOtherBinary has the program that HEDDLE_TEST_OTHER names, an older one say, fill a data folder: this one answers
// the same to every root field, and verifies the same log.
func TestOtherBinary(t *testing.T) {
	program := os.Getenv("HEDDLE_TEST_OTHER")
	if program == "" {
		t.Skip("HEDDLE_TEST_OTHER names no program")
	}
	h, service := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1"), newHook()
	t.Cleanup(service.Close)
	other := command(h.dir, append(h.env, "HEDDLE_ADMIN_TOKEN="+h.token), "serve")
	other.Path, other.Err = program, nil
	p, err := start(other)
	h.must(err)
	h.process = p
	run := h.trigger(h.connected(), `{"url":"`+service.URL+`", "large": "`+strings.Repeat("x", 100_000)+`"}`)
	h.ended(run)
	ids := map[string]string{"RUN": run}
	found := h.call(`{ integrations { nodes { id } } customers { nodes { id } } instances { nodes { id } } }`, nil)
	for name, path := range map[string]string{"INTEGRATION": "integrations.nodes.0.id",
		"CUSTOMER": "customers.nodes.0.id", "INSTANCE": "instances.nodes.0.id"} {
		ids[name] = at(found, path).(string)
	}
	ids["DRAFT"] = at(h.call(`mutation($i: ID!) { createDraft(input: {id: $i, name: "Next"}) { draft { id } } }`,
		map[string]any{"i": ids["INTEGRATION"]}), "createDraft.draft.id").(string)
	old := h.url // a run's result has it
	answers := func() string {
		text, err := roots(h.url, h.token, func(name string) string { return ids[name] })
		h.must(err)
		return strings.NewReplacer(h.url, "http://heddle", old, "http://heddle").Replace(text)
	}
	verified := func(program string) string {
		cmd := command(h.dir, h.env, "verify")
		if program != "" {
			cmd.Path, cmd.Err = program, nil
		}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("verify: %v\n%s", err, out)
		}
		return string(out)
	}
	before := answers()
	h.must(h.stop())
	head := verified(program)
	h.start()
	if after := answers(); after != before {
		t.Errorf("the answers differ: before %d bytes, after %d\n%s", len(before), len(after),
			firstDifference(before, after))
	}
	h.must(h.stop())
	if now := verified(""); now != head {
		t.Errorf("verify prints\n%s, the other program\n%s", now, head)
	}
	t.Logf("%d bytes of answers, %s", len(before), filepath.Base(program)+": "+head)
}
