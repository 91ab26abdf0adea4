package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// exchange is a request of docs/api.md with the blocks that follow it.
type exchange struct {
	block
	beside map[string]string // by their last word: variables, answer, next
}

func exchanges(t *testing.T) (all []*exchange) {
	for _, b := range blocks(page(t, "docs/api.md")) {
		language, word, _ := strings.Cut(b.info, " ")
		switch {
		case language == "graphql" || language == "http" || word == "websocket":
			all = append(all, &exchange{block: b, beside: map[string]string{}})
		case language == "json" && word != "":
			all[len(all)-1].beside[word] = b.text
		}
	}
	return all
}

// reader follows docs/api.md on a server and remembers the names that answers have shown.
type reader struct {
	*harness
	names map[string]any
}

var shownName = regexp.MustCompile(`<([^<>]+)>`)

// TestAPIPage sends all documents of docs/api.md, and what else it says to send, and compares the answers.
func TestAPIPage(t *testing.T) {
	r := &reader{newHarness(t), map[string]any{}}
	r.start()
	all := exchanges(t)
	for _, e := range all {
		if err := r.send(e); err != nil {
			t.Fatalf("docs/api.md:%d: %v", e.line, err) // what follows rests on it
		}
	}
	if len(all) < 20 {
		t.Errorf("the page has %d requests", len(all))
	}
}

func (r *reader) send(e *exchange) error {
	language, word, _ := strings.Cut(e.info, " ")
	switch {
	case word == "websocket":
		return r.talk(e.text)
	case language == "http":
		return r.request(e, word)
	}
	token := r.token
	if name, ok := strings.CutPrefix(word, "as "); ok {
		token, _ = r.names[name+"'s token"].(string)
	}
	if word == "anonymous" {
		token = ""
	}
	variables := map[string]any{}
	if text := e.beside["variables"]; text != "" {
		if err := json.Unmarshal([]byte(r.fill(text)), &variables); err != nil {
			return err
		}
	}
	if strings.HasPrefix(e.text, "subscription") {
		return r.follow(token, e, variables)
	}
	answer, err := ask(r.url, token, e.text, variables)
	if err != nil {
		return err
	}
	if e.beside["answer"] == "" {
		return fmt.Errorf("the page shows no answer; it is %v", answer)
	}
	return r.compare(e.beside["answer"], answer)
}

// fill puts in what stands for names.
func (r *reader) fill(text string) string {
	return shownName.ReplaceAllStringFunc(text, func(name string) string {
		if value, known := r.names[name[1:len(name)-1]]; known {
			return fmt.Sprint(value)
		}
		return name
	})
}

func (r *reader) compare(want string, got any) error {
	var wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		return fmt.Errorf("%w in %s", err, want)
	}
	if lack := r.lacks("", wanted, got); lack != "" {
		text, _ := json.Marshal(got) // it was JSON
		return fmt.Errorf("%s in %s", lack, text)
	}
	return nil
}

// lacks says where an answer does not have what the page shows. A name that is shown for the first time takes the
// value that is there.
func (r *reader) lacks(path string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		m, _ := got.(map[string]any)
		for key, value := range want {
			if lack := r.lacks(path+"."+key, value, m[key]); lack != "" {
				return lack
			}
		}
		return ""
	case []any:
		list, _ := got.([]any)
		if len(list) != len(want) {
			return fmt.Sprintf("%s has %d elements and not %d", path, len(list), len(want))
		}
		for i := range want {
			if lack := r.lacks(path+"."+strconv.Itoa(i), want[i], list[i]); lack != "" {
				return lack
			}
		}
		return ""
	case string:
		if name := shownName.FindStringSubmatch(want); name != nil && name[0] == want {
			if _, known := r.names[name[1]]; !known && got != nil {
				r.names[name[1]] = got
			}
			return differs(path, r.names[name[1]], got)
		}
	}
	return differs(path, want, got)
}

func differs(path string, want, got any) string {
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf("%s is %v and not %v", path, got, want)
	}
	return ""
}

// request sends an HTTP request as the page writes it: a line, headers, an empty line, a body.
func (r *reader) request(e *exchange, status string) error {
	head, body, _ := strings.Cut(r.fill(e.text), "\n\n")
	line, rest, _ := strings.Cut(head, "\n")
	method, url, _ := strings.Cut(strings.TrimSpace(line), " ")
	header := http.Header{}
	for field := range strings.Lines(rest) {
		if name, value, ok := strings.Cut(field, ": "); ok {
			header.Set(name, strings.TrimSpace(value))
		}
	}
	code, _, text, err := send(method, url, header, []byte(body))
	if err != nil {
		return err
	}
	if strconv.Itoa(code) != status {
		return fmt.Errorf("answered %d %s", code, text)
	}
	if e.beside["answer"] == "" {
		return nil
	}
	var answer any
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	return r.compare(e.beside["answer"], answer)
}

// follow subscribes by server-sent events and by WebSocket and compares what comes first.
func (r *reader) follow(token string, e *exchange, variables map[string]any) error {
	body, err := json.Marshal(map[string]any{"query": e.text, "variables": variables})
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(r.Context(), http.MethodPost, r.url+"/api", bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"},
		"Authorization": {"Bearer " + token}}
	response, err := web.Do(q)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewReader(response.Body)
	err = r.each(e, func() ([]byte, error) {
		for {
			line, err := lines.ReadString('\n')
			if data, ok := strings.CutPrefix(line, "data: "); ok || err != nil {
				return []byte(data), err
			}
		}
	})
	if err != nil {
		return fmt.Errorf("server-sent events: %w", err)
	}
	script := fmt.Sprintf(`→ {"type": "connection_init", "payload": {"authToken": %q}}
← {"type": "connection_ack"}
→ {"id": "1", "type": "subscribe", "payload": %s}
`, token, body)
	for line := range strings.Lines(e.beside["next"]) {
		script += `← {"id": "1", "type": "next", "payload": ` + strings.TrimSpace(line) + "}\n"
	}
	return r.talk(script)
}

// each compares what comes with what the page shows, line by line.
func (r *reader) each(e *exchange, next func() ([]byte, error)) error {
	if e.beside["next"] == "" {
		return errors.New("the page does not show what comes")
	}
	for want := range strings.Lines(e.beside["next"]) {
		text, err := next()
		if err != nil {
			return err
		}
		var got any
		if err := json.Unmarshal(text, &got); err != nil {
			return fmt.Errorf("%w in %q", err, text)
		}
		if err := r.compare(want, got); err != nil {
			return err
		}
	}
	return nil
}

// talk sends what goes out on a WebSocket and compares what comes in.
func (r *reader) talk(script string) error {
	ctx := r.Context()
	conn, _, err := websocket.Dial(ctx, strings.Replace(r.url, "http", "ws", 1)+"/api", &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	for line := range strings.Lines(script) {
		if out, ok := strings.CutPrefix(line, "→ "); ok {
			out = strings.ReplaceAll(out, `"TOKEN"`, strconv.Quote(r.token))
			if err := conn.Write(ctx, websocket.MessageText, []byte(out)); err != nil {
				return err
			}
			continue
		}
		_, message, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var got any
		if err := json.Unmarshal(message, &got); err != nil {
			return err
		}
		if err := r.compare(strings.TrimPrefix(line, "← "), got); err != nil {
			return fmt.Errorf("WebSocket: %w", err)
		}
	}
	return nil
}
