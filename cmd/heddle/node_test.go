package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/parser"
)

// calling is a definition whose only step calls what the trigger's caller says; without that it goes on.
const calling = `definitionVersion: 7
name: Clients
flows:
  - name: Call
    steps:
      - name: Hook
        isTrigger: true
        action: {component: {key: webhook-triggers, isPublic: true, version: LATEST}, key: webhook}
        inputs: {}
      - name: Call
        action: {component: {key: http, isPublic: true, version: LATEST}, key: httpPost}
        inputs:
          url: {type: reference, value: hook.results.body.data.url}
          data: {type: value, value: x}
        errorConfig: {errorHandlerType: ignore}
`

// TestNodeClients has programs that other people wrote use a running server: see testdata/clients.
func TestNodeClients(t *testing.T) {
	needNode(t)
	h := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1")
	h.start()
	trigger := h.deploy(calling)
	where, err := json.Marshal(map[string]any{"url": h.url, "token": h.token, "trigger": trigger,
		"instance": at(h.call(`{ instances { nodes { id } } }`, nil), "instances.nodes.0.id")})
	h.must(err)
	for _, program := range []string{"audits.js", "sockets.js", "events.js", "apollo.js", "urql.js", "commands.js"} {
		t.Run(program, func(t *testing.T) { node(t, program, string(where)) })
	}
}

// TestNodeSchema has programs that other people wrote judge the schema: whether it keeps its promises,
// follows their rules, and compiles.
func TestNodeSchema(t *testing.T) {
	needNode(t)
	for _, program := range []string{"schema.js", "lint.js", "relay.js"} {
		t.Run(program, func(t *testing.T) { node(t, program) })
	}
}

// What the schema promises is written down with it, see testdata/clients/schema.js.
func TestSchemaIsPromised(t *testing.T) {
	var texts []string
	for _, file := range []string{"../../schema.graphqls", "testdata/clients/promised.graphqls"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		document, err := parser.ParseSchema(&ast.Source{Name: file, Input: string(text)})
		if err != nil {
			t.Fatal(err)
		}
		var wordless strings.Builder
		formatter.NewFormatter(&wordless, formatter.WithoutDescription()).FormatSchemaDocument(document)
		// where there was a description it writes none
		texts = append(texts, strings.ReplaceAll(wordless.String(), ",", ""))
	}
	if texts[0] != texts[1] {
		t.Error("schema.graphqls is not what is promised: in cmd/heddle/testdata/clients run npm ci, then npm run promise, and commit promised.graphqls")
	}
}

func needNode(t *testing.T) {
	if os.Getenv("HEDDLE_TEST_NODE") == "" {
		t.Skip("HEDDLE_TEST_NODE is not set: clients for Node are not tried")
	}
}

// node runs a program of testdata/clients.
func node(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = "testdata/clients"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}
