package graph

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"heddle/domain"
)

const (
	progressDocument = `subscription ($id: ID!, $after: String) { executionProgress(executionId: $id, after: $after) { cursor type timestamp
		stepResult { path hasError result } executionResult { id status stepResults { totalCount } } } }`
	tailDocument = `subscription ($execution: ID, $instance: ID, $after: String) { logTail(executionId: $execution, instanceId: $instance, after: $after) {
		cursor node { executionId stepName severity message } } }`
)

// A feed tells all that happened and all that happens, in order, and ends with the execution.
func TestExecutionProgress(t *testing.T) {
	h := newHarness(t)
	run := h.started("n")
	c := h.connect(h.tokens[domain.Viewer])
	c.subscribe("a", progressDocument, vars{"id": run})
	for _, want := range []string{"QUEUED QUEUED", "CLAIMED PENDING"} {
		if a := c.next("a"); a.text("executionProgress.type")+" "+a.text("executionProgress.executionResult.status") != want {
			t.Errorf("got %s, want %s", a.body, want)
		}
	}
	h.stepped(run, "one")
	if a := c.next("a"); a.text("executionProgress.stepResult.path") != "one" ||
		a.text("executionProgress.stepResult.result") != "1" ||
		a.at("executionProgress.executionResult.stepResults.totalCount") != 1.0 ||
		a.text("executionProgress.executionResult.id") != run {
		t.Errorf("got %s", a.body)
	}
	h.finished(run)
	if a := c.next("a"); a.text("executionProgress.type") != "FINISHED" ||
		a.text("executionProgress.executionResult.status") != "SUCCESS" || a.at("executionProgress.stepResult") != nil {
		t.Errorf("got %s", a.body)
	}
	c.expect(`{"id":"a","type":"complete"}`)
}

// Whoever comes again with the cursor seen last misses nothing and sees nothing twice, wherever the
// connection broke.
func TestFeedsGoOn(t *testing.T) {
	h := newHarness(t)
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	other := h.started(instance) // its beginning is before the feed's
	h.stepped(other, "zero")
	start := h.connect(h.tokens[domain.Viewer])
	start.subscribe("a", tailDocument, vars{"execution": other})
	start.next("a")
	first := start.next("a").text("logTail.cursor")
	run := h.started(instance)
	h.stepped(h.started("another instance"), "unseen")
	h.stepped(run, "one")
	h.stepped(other, "two")
	h.stepped(run, "three")
	h.finished(run)
	h.finished(other)
	for name, c := range map[string]struct {
		document, field string
		v               vars
		want            string
	}{
		"progress": {progressDocument, "executionProgress.type", vars{"id": run},
			"QUEUED CLAIMED STEP_FINISHED STEP_FINISHED FINISHED"},
		"a log": {tailDocument, "logTail.node.message", vars{"execution": run},
			"Starting Instance Execution,one 1,one 2,three 1,three 2,Ending Instance Execution"},
		"an instance's log": {tailDocument, "logTail.node.message", vars{"instance": instance, "after": first},
			"zero 2,Starting Instance Execution,one 1,one 2,two 1,two 2,three 1,three 2,Ending Instance Execution,Ending Instance Execution"},
	} {
		separator := ","
		if name == "progress" {
			separator = " "
		}
		want := strings.Split(c.want, separator)
		field, _, _ := strings.Cut(c.field, ".")
		for breaks := 1; breaks <= len(want); breaks++ {
			var got []string
			v := vars{"after": c.v["after"], "id": c.v["id"], "execution": c.v["execution"],
				"instance": c.v["instance"]}
			for len(got) < len(want) {
				s := h.connect(h.tokens[domain.Viewer])
				s.subscribe("a", c.document, v)
				for range min(breaks, len(want)-len(got)) {
					a := s.next("a")
					got, v["after"] = append(got, a.text(c.field)), a.text(field+".cursor")
				}
				_ = s.conn.CloseNow()
			}
			if strings.Join(got, separator) != c.want {
				t.Fatalf("%s, broken after every %d: got %v, want %s", name, breaks, got, c.want)
			}
		}
	}
}

// Without a cursor, an instance's log is told from now on.
func TestLogOfAnInstanceFromNow(t *testing.T) {
	h := newHarness(t)
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	run := h.started(instance)
	h.stepped(run, "before")
	c := h.connect(h.tokens[domain.Viewer])
	c.subscribe("a", tailDocument, vars{"instance": instance})
	done := make(chan reply)
	go func() { done <- c.next("a") }()
	for n := range 2000 { // nothing tells when the feed has begun
		h.stepped(run, fmt.Sprint("now", n))
		select {
		case a := <-done:
			if !strings.HasPrefix(a.text("logTail.node.message"), "now") || a.text("logTail.node.executionId") != run {
				t.Errorf("got %s", a.body)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
	t.Error("nothing is told")
}

// A feed of another organization's execution or instance is of none.
func TestFeedsOfOthers(t *testing.T) {
	h := newHarness(t)
	run := h.started("n")
	theirs := h.organization("Others")
	c := h.connect(theirs.tokens[domain.Admin])
	for document, id := range map[string]string{progressDocument: run, tailDocument: run,
		`subscription ($id: ID!) { integrationChanged(id: $id) { id } }`: h.imported(h.org, shop)} {
		c.subscribe("a", document, vars{"id": id, "execution": id})
		if text, _ := c.read(); !strings.Contains(text, "Record not found") || !strings.Contains(text,
			`"type":"error"`) {
			t.Errorf("%s: got %s", document, text)
		}
	}
}

// An execution that retention removes while it is watched ends.
func TestFeedOfARemovedExecution(t *testing.T) {
	h := newHarness(t)
	run := h.started("n")
	c := h.connect(h.tokens[domain.Viewer])
	c.subscribe("a", progressDocument, vars{"id": run})
	c.next("a")
	c.next("a")
	h.must(h.Log.Remove(t.Context(), domain.Runs.Stream(run)))
	c.subscribe("b", progressDocument, vars{"id": run})
	if text, _ := c.read(); !strings.Contains(text, `"id":"b"`) || strings.Contains(text, "INTERNAL") {
		t.Errorf("got %s", text)
	}
}

// A state is told at once and after each change of it, and of nothing else.
func TestStates(t *testing.T) {
	h := newHarness(t)
	integration := h.imported(h.org, shop)
	instance := h.instance(h.org, "I", h.published(h.org, integration), h.customer(h.org, "Acme"))
	c := h.connect(h.tokens[domain.Viewer])
	c.subscribe("i", `subscription ($id: ID!) { instanceChanged(id: $id) { id needsDeploy deployedVersion { versionNumber } } }`, vars{"id": instance})
	if a := c.next("i"); a.text("instanceChanged.id") != instance || a.at("instanceChanged.needsDeploy") != true {
		t.Errorf("got %s", a.body)
	}
	h.customer(h.org, "Unrelated")
	h.do(deployDocument, vars{"id": instance})
	if a := c.next("i"); a.at("instanceChanged.needsDeploy") != false ||
		a.at("instanceChanged.deployedVersion.versionNumber") != 1.0 {
		t.Errorf("got %s", a.body)
	}
	c.send(`{"type":"complete","id":"i"}`)
	c.subscribe("d", `subscription ($id: ID!) { integrationChanged(id: $id) { description versionNumber } }`,
		vars{"id": integration})
	c.next("d")
	h.do(importDocument, vars{"definition": strings.Replace(shop, "description:", "description: Newer", 1),
		"onto": integration})
	if a := c.next("d"); a.at("integrationChanged.versionNumber") != 1.0 {
		t.Errorf("got %s", a.body)
	}
	h.published(h.org, integration)
	for a := c.next("d"); a.at("integrationChanged.versionNumber") != 2.0; a = c.next("d") {
		if a.at("integrationChanged.versionNumber") != 1.0 {
			t.Fatalf("got %s", a.body)
		}
	}
}

// A token that is revoked closes what it has opened, within a second and without another word.
func TestRevokedToken(t *testing.T) {
	h := newHarness(t)
	run := h.started("n")
	made := h.do(`mutation { createApiToken(input: {name: "t"}) { secret apiToken { id } } }`, nil)
	token := made.text("createApiToken.secret")
	c := h.connect(token)
	events := h.follow(token, progressDocument, vars{"id": run})
	c.subscribe("a", progressDocument, vars{"id": run})
	for range 2 {
		c.next("a")
		events.next()
	}
	// changes of other tokens leave it alone
	another := h.do(`mutation { createApiToken(input: {name: "t"}) { apiToken { id } } }`, nil)
	h.do(`mutation ($id: ID!) { revokeApiToken(input: {id: $id}) { apiToken { id } } }`,
		vars{"id": another.text("createApiToken.apiToken.id")})
	h.stepped(run, "one")
	c.next("a")
	events.next()
	began := time.Now()
	h.do(`mutation ($id: ID!) { revokeApiToken(input: {id: $id}) { apiToken { id } } }`,
		vars{"id": made.text("createApiToken.apiToken.id")})
	c.closed(4403)
	events.ends()
	if took := time.Since(began); took > time.Second { // promised to operators, and a thousand times what it takes
		t.Errorf("it took %s", took)
	}
	h.stepped(run, "two")
	if a := h.follow(token, progressDocument, vars{"id": run}).next(); a.code() != "UNAUTHENTICATED" {
		t.Errorf("a new stream: %s", a.body)
	}
}

// Server-sent events, as a browser's EventSource asks for them.
func TestEventSource(t *testing.T) {
	h := newHarness(t)
	run := h.started("n")
	h.stepped(run, "one")
	h.finished(run)
	first := h.openEvents(h.query(tailDocument, vars{"execution": run}, "authToken", h.tokens[domain.Viewer]), "")
	if got := first.response.Header; got.Get("Content-Type") != "text/event-stream; charset=utf-8" ||
		got.Get("X-Accel-Buffering") != "no" || got.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", got)
	}
	first.next()
	if a := first.next(); a.text("logTail.node.message") != "one 1" || first.id != a.text("logTail.cursor") {
		t.Errorf("got %s under %s", a.body, first.id)
	}
	first.close()
	again := h.openEvents(h.query(tailDocument, vars{"execution": run}, "authToken", h.tokens[domain.Viewer]), "",
		"Last-Event-ID", first.id)
	for _, want := range []string{"one 2", "Ending Instance Execution"} {
		if a := again.next(); a.text("logTail.node.message") != want {
			t.Errorf("got %s", a.body)
		}
	}
	again.ends()
	query := h.follow(h.tokens[domain.Viewer], `{ organization { name } }`, nil)
	if a := query.next(); a.text("organization.name") != "Weavers" || query.id != "" {
		t.Errorf("a query answers %s", a.body)
	}
	query.ends()
}

func TestEventsRefuse(t *testing.T) {
	h := newHarness(t)
	before := len(h.events())
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		want    string
	}{
		"a mutation by GET": {h.query(`mutation { createCustomer(input: {name: "A"}) { errors { field } } }`, nil),
			200, "mutations are not served by GET"},
		"no query":       {h.query(` `, nil), 400, "query is missing"},
		"variables":      {h.query(`{ __typename }`, nil, "variables", "["), 400, "variables is not a JSON object"},
		"a bad document": {h.query(`{ organisation }`, nil), 200, "Cannot query field"},
		"nobody's execution": {h.query(`subscription { executionProgress(executionId: "x") { cursor } }`, nil), 200,
			"Record not found"},
		"many tokens": {h.query(`{`+strings.Repeat(" a", 2500)+`}`, nil), 200, "token limit"},
	} {
		events := h.openEvents(c.request, h.tokens[domain.Admin])
		if events.response.StatusCode != c.status {
			t.Errorf("%s: status %d", name, events.response.StatusCode)
		}
		if c.status != 200 {
			events.lines.Scan()
			if !strings.Contains(events.lines.Text(), c.want) {
				t.Errorf("%s: %s", name, events.lines.Text())
			}
			continue
		}
		if a := events.next(); len(a.Errors) != 1 || !strings.Contains(a.Errors[0].Message, c.want) {
			t.Errorf("%s: %s", name, a.body)
		}
		events.ends()
	}
	form, err := http.NewRequest(http.MethodPost, h.address, strings.NewReader("query=x"))
	h.must(err)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got := h.openEvents(form, h.tokens[domain.Admin]).response.StatusCode; got != 415 {
		t.Errorf("a form: %d", got)
	}
	if wrote := h.since(before); wrote != "" {
		t.Errorf("wrote %s", wrote)
	}
}

// Comments keep a quiet stream open.
func TestEventsKeepOpen(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.KeepAlive = 10 * time.Millisecond })
	events := h.follow(h.tokens[domain.Viewer], progressDocument, vars{"id": h.started("n")})
	events.next()
	events.next()
	comments := 0
	for comments < 3 && events.lines.Scan() {
		if events.lines.Text() == ":" {
			comments++
		}
	}
	if comments < 3 {
		t.Error("the stream has ended")
	}
}
