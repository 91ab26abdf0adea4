package graph

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/store"
)

const executionDocument = `query ($id: ID!, $limit: Int) { executionResult(id: $id) { id startedAt endedAt queuedAt status resultType invokeType isTestExecution error flowName instance { id }
	stepResults { totalCount nodes { id stepName displayStepName path hasError error result(resultLimit: $limit) resultSize } } last: stepResults(last: 1) { nodes { path } }
	logs { edges { cursor node { severity message stepName } } } } }`

func TestExecutionResult(t *testing.T) {
	h := newHarness(t)
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	waiting, ended := h.executed(h.org, instance, 0), h.executed(h.org, instance, 1)
	a := h.do(executionDocument, vars{"id": waiting})
	if a.text("executionResult.status") != "QUEUED" || a.at("executionResult.startedAt") != nil ||
		a.at("executionResult.endedAt") != nil || a.at("executionResult.resultType") != nil ||
		a.text("executionResult.queuedAt") == "" || a.at("executionResult.isTestExecution") != false ||
		a.at("executionResult.stepResults.totalCount") != 0.0 || a.at("executionResult.logs.edges.0") != nil {
		t.Errorf("waiting: %s", a.body)
	}
	a = h.do(executionDocument, vars{"id": ended})
	if a.text("executionResult.status") != "ERROR" || a.text("executionResult.resultType") != "ERROR" ||
		a.text("executionResult.error") != "Tell: broke" ||
		a.text("executionResult.invokeType") != "WEBHOOK" || a.text("executionResult.instance.id") != instance ||
		a.text("executionResult.flowName") != "Orders" {
		t.Errorf("ended: %s", a.body)
	}
	if a.texts("executionResult.stepResults.nodes", "result") != `{"a":1} 2` ||
		a.at("executionResult.stepResults.nodes.0.resultSize") != 7.0 ||
		a.at("executionResult.stepResults.nodes.1.hasError") != true ||
		a.text("executionResult.stepResults.nodes.1.error") != "broke" || a.texts("executionResult.last.nodes",
		"path") != "tell" {
		t.Errorf("its steps: %s", a.body)
	}
	if a.texts("executionResult.logs.edges", "node.message") != "Starting Instance Execution careful Ending Instance Execution" || a.text("executionResult.logs.edges.1.node.stepName") != "Hook" {
		t.Errorf("its log: %s", a.body)
	}
	if a := h.do(executionDocument, vars{"id": ended,
		"limit": 3}); a.at("executionResult.stepResults.nodes.0.result") != nil || a.text("executionResult.stepResults.nodes.1.result") != "2" {
		t.Errorf("with a limit of 3 bytes: %s", a.body)
	}
	roots := h.do(`{ logs(executionResult: "`+ended+`") { edges { cursor node { message } } } }`, nil)
	if roots.texts("logs.edges", "cursor") != a.texts("executionResult.logs.edges", "cursor") {
		t.Errorf("the root list has other cursors: %s", roots.body)
	}
}

// An execution that the index has not seen yet, and large outputs and logs, come from the stream.
func TestYoungExecution(t *testing.T) {
	h := newHarness(t)
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	lagging := *h.Resolver
	id := uuid.NewString()
	output, err := h.Blobs.Keep(t.Context(), "run/"+id+"/out",
		json.RawMessage(`"`+strings.Repeat("x", domain.MaxInline)+`"`))
	h.must(err)
	lines, err := json.Marshal([]domain.LogLine{{Time: time.Unix(1, 0), Severity: "ERROR", Message: "from a blob"}})
	h.must(err)
	h.must(h.Blobs.Put(t.Context(), "run/"+id+"/log", lines))
	log := domain.Content{Blob: "run/" + id + "/log", Size: len(lines)}
	happen(h, h.system(t.Context()), domain.Runs, id, domain.RunQueued{Instance: instance, Flow: uuid.NewString(),
		Invoke: domain.InvokedByFlowTest},
		domain.RunClaimed{Claim: 1}, domain.StepFinished{Claim: 1, Path: "a", Name: "A", Output: output, LogBlob: &log})
	run, _, err := store.Load(t.Context(), h.Log, domain.Runs, id)
	h.must(err)
	indexed, ok, err := lagging.execution(h.as(h.org), id)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	young := InstanceExecutionResult{fromStream(run)}
	young.Position = indexed.Position // the stream does not know it
	if young != indexed {
		t.Errorf("the stream tells %+v, the index %+v", young, indexed)
	}
	if young.Status() != ExecutionStatusPending || !young.IsTestExecution() {
		t.Errorf("is %s, test %v", young.Status(), young.IsTestExecution())
	}
	a := h.do(executionDocument, vars{"id": id})
	if len(a.text("executionResult.stepResults.nodes.0.result")) != domain.MaxInline+2 ||
		a.text("executionResult.logs.edges.1.node.message") != "from a blob" {
		t.Errorf("answered %.500s", a.body)
	}
}

// What comes late comes behind every cursor handed out, for clients that poll.
func TestPollingSteps(t *testing.T) {
	h := newHarness(t)
	id, ctx := uuid.NewString(), h.system(t.Context())
	happen(h, ctx, domain.Runs, id, domain.RunQueued{Flow: uuid.NewString(), Invoke: domain.InvokedByWebhook},
		domain.RunClaimed{Claim: 1})
	var seen []string
	after := ""
	for _, path := range []string{"a", "b", "c"} {
		happen(h, ctx, domain.Runs, id, domain.StepFinished{Claim: 1, Path: path, Name: path,
			Started: time.Now().Add(-time.Hour)})
		for range 2 { // the second time nothing is new
			a := h.do(`query ($id: ID!, $after: String) { executionResult(id: $id) { stepResults(after: $after, orderBy: {field: ENDED_AT, direction: ASC}) { edges { cursor node { path } } } } }`, vars{"id": id, "after": after})
			if edges := a.at("executionResult.stepResults.edges").([]any); len(edges) > 0 {
				seen = append(seen, a.texts("executionResult.stepResults.edges", "node.path"))
				after = a.text("executionResult.stepResults.edges.0.cursor")
			}
		}
	}
	if got := strings.Join(seen, " "); got != "a b c" {
		t.Errorf("saw %s", got)
	}
}

func TestExecutionFilters(t *testing.T) {
	h := newHarness(t)
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	waiting, failed, working := h.executed(h.org, instance, 0), h.executed(h.org, instance, 1), h.started(instance)
	done := h.started(instance)
	h.stepped(done, "Ship")
	h.finished(done)
	names := strings.NewReplacer(waiting, "waiting", failed, "failed", working, "working", done, "done")
	for filter, want := range map[string]string{
		``: "done working failed waiting",
		`orderBy: {field: STARTED_AT, direction: ASC}`: "waiting failed working done",
		`status: QUEUED`:                              "waiting",
		`status: PENDING`:                             "working",
		`status: SUCCESS`:                             "done",
		`status: ERROR`:                               "failed",
		`error_Isnull: false`:                         "failed",
		`error_Isnull: true`:                          "done working waiting",
		`resultType: COMPLETED`:                       "done",
		`invokeType: WEBHOOK`:                         "done working failed waiting",
		`invokeType: SCHEDULED`:                       "",
		`search: "ship"`:                              "done",
		`search: "careful broke"`:                     "failed",
		`customer: "none"`:                            "",
		`startedAt_Lte: "2001-01-01T00:00:00Z"`:       "",
		`instance: "` + instance + `", status: ERROR`: "failed",
	} {
		a := h.do(`{ executionResults(first: 10 `+filter+`) { totalCount nodes { id status } } }`, nil)
		if got := names.Replace(a.texts("executionResults.nodes", "id")); got != want ||
			a.at("executionResults.totalCount") != float64(len(strings.Fields(want))) {
			t.Errorf("%s: got %s", filter, got)
		}
	}
	a := h.ask(h.tokens[domain.Viewer], `{ executionResults(after: "Yw") { totalCount } }`, nil)
	if a.code() != "INVALID" {
		t.Errorf("a bad cursor: %s", a.body)
	}
}

func TestSections(t *testing.T) {
	h := newHarness(t)
	run := h.started("n")
	for _, step := range []string{"one", "two", "three"} {
		h.stepped(run, step)
	}
	a := h.do(`query ($id: ID!) { executionSections(executionResult: $id, orderBy: {field: STARTED_AT, direction: ASC}) { nodes { sectionId label } }
		logs(executionResult: $id) { nodes { sectionId stepName } } }`, vars{"id": run})
	if got := a.texts("executionSections.nodes", "label"); got != "one two three" {
		t.Errorf("sections are %s", got)
	}
	if a.at("logs.nodes.0.sectionId") != nil ||
		a.text("logs.nodes.3.sectionId") != a.text("executionSections.nodes.1.sectionId") {
		t.Errorf("lines are %s", a.body)
	}
	second := a.text("executionSections.nodes.1.sectionId")
	a = h.do(`query ($id: ID!, $in: [UUID!]) { executionSections(executionResult: $id, sectionId_In: $in) { nodes { label } } }`, vars{"id": run, "in": []string{second}})
	if got := a.texts("executionSections.nodes", "label"); got != "two" {
		t.Errorf("the second is %s", got)
	}
}

// A large result is read, but not again and again for one answer.
func TestResultsAreBounded(t *testing.T) {
	h := newHarness(t)
	instance := h.instance(h.org, "I", h.published(h.org, h.imported(h.org, shop)), h.customer(h.org, "Acme"))
	id := h.executed(h.org, instance, 0)
	large, err := h.Blobs.Keep(t.Context(), "run/"+id+"/large", json.RawMessage(`"`+strings.Repeat("x", 6<<20)+`"`))
	h.must(err)
	happen(h, h.system(t.Context()), domain.Runs, id, domain.RunClaimed{Claim: 1},
		domain.StepFinished{Claim: 1, Path: "a", Name: "A", Output: large})
	ask := func(times int) reply {
		return h.ask(h.tokens[domain.Viewer], "query ($id: ID!) { executionResult(id: $id) { "+aliased(times,
			"stepResults { nodes { result } }")[1:]+" }", vars{"id": id})
	}
	if a := ask(1); !strings.Contains(a.body, "xxxx") {
		t.Errorf("answered %.300s", a.body)
	}
	if a := ask(40); !strings.Contains(a.body, "the answer has more than") || len(a.body) > 1000 {
		t.Errorf("answered %d bytes: %.300s", len(a.body), a.body)
	}
}
