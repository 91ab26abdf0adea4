package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"heddle/domain/definition"
)

// example is a definition of docs/definition.md with what stands beside it.
type example struct {
	block
	definition string
	refused    bool
	beside     map[string]string // the blocks that follow, by their last word: config, request, answer, message
}

// examples reads the page. Steps are put into the definition that is marked as their head.
func examples(t *testing.T) (all []*example) {
	var head string
	for _, b := range blocks(page(t, "docs/definition.md")) {
		language, word, _ := strings.Cut(b.info, " ")
		if language != "yaml" {
			if len(all) == 0 || word == "" {
				t.Fatalf("docs/definition.md:%d: this block belongs to no example", b.line)
			}
			all[len(all)-1].beside[word] = b.text
			continue
		}
		e := &example{block: b, definition: b.text, refused: word == "refused", beside: map[string]string{}}
		switch word {
		case "head":
			head = b.text
		case "steps":
			e.definition = head
			for line := range strings.Lines(b.text) {
				e.definition += "      " + line
			}
		}
		all = append(all, e)
	}
	return all
}

// TestDefinitionPage imports all examples of docs/definition.md, deploys them, and compares what their first
// flow answers with what the page says.
func TestDefinitionPage(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorized := r.Header.Get("Authorization") == "Bearer a-secret-key"
		_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.Path, "authorized": authorized})
	}))
	defer service.Close()
	h := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1")
	h.start()
	answers := 0
	for _, e := range examples(t) {
		const document = `mutation($d: String!) { importIntegration(input: {definition: $d}) {
			warnings { line message } errors { messages } } }`
		answer, err := ask(h.url, h.token, document, map[string]any{"d": e.definition})
		h.must(err)
		problem, _ := at(answer, "data.importIntegration.errors.0.messages.0").(string)
		if e.refused {
			if want := strings.TrimSpace(e.beside["message"]); want == "" || !strings.Contains(problem, want) {
				t.Errorf("docs/definition.md:%d is refused with %q", e.line, problem)
			}
			continue
		}
		if err := refused(answer); err != nil {
			t.Errorf("docs/definition.md:%d: %v", e.line, err)
			continue
		}
		if odd, _ := at(answer, "data.importIntegration.warnings").([]any); len(odd) > 0 {
			t.Errorf("docs/definition.md:%d has warnings: %v", e.line, odd)
		}
		var config []any
		if text := e.beside["config"]; text != "" {
			h.must(json.Unmarshal([]byte(strings.ReplaceAll(text, "https://crm.example.com", service.URL)), &config))
		}
		url := h.deploy(e.definition, config...)
		if e.beside["answer"] == "" {
			continue
		}
		answers++
		if err := h.answers(url, e.beside["request"], e.beside["answer"]); err != nil {
			t.Errorf("docs/definition.md:%d %v", e.line, err)
		}
	}
	if answers < 10 {
		t.Errorf("%d examples have answers", answers)
	}
}

// answers sends a JSON body to a trigger and compares what comes back, as values.
func (h *harness) answers(url, request, want string) error {
	status, _, text, err := send(http.MethodPost, h.url+url, http.Header{"Content-Type": {"application/json"}},
		[]byte(request))
	if err != nil {
		return err
	}
	var got, wanted any
	h.must(json.Unmarshal([]byte(want), &wanted))
	if json.Unmarshal(text, &got) != nil || status/100 != 2 || !reflect.DeepEqual(got, wanted) {
		return fmt.Errorf("answers %d %s and not %s", status, text, want)
	}
	return nil
}

// TestDefinitionWords compares the page's table of identifiers, and the operators that it names, with the format's.
func TestDefinitionWords(t *testing.T) {
	text := page(t, "docs/definition.md")
	_, table, _ := strings.Cut(text, "| name | identifier |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := regexp.MustCompile("(?m)^\\| `(.+)` \\| `(.+)` \\|$").FindAllStringSubmatch(table, -1)
	for _, row := range rows {
		if got := definition.Identifier(row[1]); got != row[2] {
			t.Errorf("%q is %s, not %s", row[1], got, row[2])
		}
	}
	if len(rows) < 4 {
		t.Errorf("%d identifiers", len(rows))
	}
	for _, operator := range definition.Operators {
		if !strings.Contains(text, "`"+operator+"`") && !strings.Contains(text, "["+operator+",") {
			t.Errorf("the page does not have the operator %s", operator)
		}
	}
}
