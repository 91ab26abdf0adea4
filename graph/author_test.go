package graph

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
)

func TestImportNew(t *testing.T) {
	h := newHarness(t)
	for _, onto := range []any{nil, ""} { // existing clients send "" for a new one
		before := len(h.events())
		a := h.do(importDocument, vars{"definition": shop, "onto": onto})
		id := h.made(a, "importIntegration", "integration")
		if got := h.since(before); got != "DraftOpened InstanceCreated IntegrationCreated" {
			t.Errorf("onto %v: wrote %s", onto, got)
		}
		if a.text("importIntegration.integration.name") != "Shop" ||
			a.at("importIntegration.integration.versionNumber") != 0.0 ||
			a.texts("importIntegration.integration.flows.nodes", "name") != "Orders Returns" ||
			len(a.at("importIntegration.warnings").([]any)) != 0 {
			t.Errorf("answered %s", a.body)
		}
		system, flow := a.text("importIntegration.integration.systemInstance.id"),
			a.text("importIntegration.integration.flows.nodes.0.part")
		if got, want := a.text("importIntegration.integration.flows.nodes.0.testUrl"), domain.TriggerURL("http://heddle.test", system, flow); got != want || system != domain.SystemInstanceID(id) {
			t.Errorf("the test URL is %s, want %s", got, want)
		}
		meta, err := store.MetaOf(h.events()[before])
		if err != nil || meta.Actor != h.users[domain.Admin] || meta.Organization != h.id || meta.Token == "" ||
			meta.Correlation == "" || meta.Remote != "192.0.2.1" {
			t.Errorf("the event's author is %+v, %v", meta, err)
		}
	}
	if n := h.do(`{ integrations { totalCount } }`, nil).at("integrations.totalCount"); n != 2.0 {
		t.Errorf("there are %v integrations, want 2: importing twice without an id makes two", n)
	}
}

func TestSystemInstanceIsHidden(t *testing.T) {
	h := newHarness(t)
	h.imported(h.org, shop)
	a := h.do(`{ shown: instances { totalCount } no: instances(isSystem: false) { totalCount } hidden: instances(isSystem: true) {
		nodes { name enabled needsDeploy customer { id } deployedVersion { id } integration { name } flowConfigs { nodes { flow { name } } } } } }`, nil)
	if a.at("shown.totalCount") != 0.0 || a.at("no.totalCount") != 0.0 ||
		a.text("hidden.nodes.0.integration.name") != "Shop" ||
		a.at("hidden.nodes.0.enabled") != true || a.at("hidden.nodes.0.needsDeploy") != false ||
		a.texts("hidden.nodes.0.flowConfigs.nodes", "flow.name") != "Orders Returns" {
		t.Errorf("answered %s", a.body)
	}
	before := len(h.events())
	system := h.do(`{ instances(isSystem: true) { nodes { id } } }`, nil).text("instances.nodes.0.id")
	if a := h.do(deployDocument, vars{"id": system}); !strings.HasPrefix(a.refused("deployInstance"),
		"id: the system instance always runs the draft") || h.since(before) != "" {
		t.Errorf("deploying it: %s, wrote %q", a.body, h.since(before))
	}
}

func TestImportOnto(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	flows := func() string {
		return h.do(`query ($id: ID!) { integration(id: $id) { flows { nodes { id } } } }`,
			vars{"id": id}).texts("integration.flows.nodes", "id")
	}
	before, was := len(h.events()), flows()
	a := h.do(importDocument, vars{"definition": strings.Replace(shop, "name: Orders", "name: All orders", 1),
		"onto": id})
	if a.text("importIntegration.integration.id") != id || a.texts("importIntegration.integration.flows.nodes",
		"name") != "All orders Returns" || h.since(before) != "DraftEdited" {
		t.Errorf("answered %s, wrote %s", a.body, h.since(before))
	}
	if flows() != was {
		t.Errorf("a renamed flow got another id: %s, was %s", flows(), was)
	}
	for name, onto := range map[string]string{"a version": h.published(h.org, id), "no integration": uuid.NewString(),
		"nonsense": "x y"} {
		before := len(h.events())
		a := h.do(importDocument, vars{"definition": shop, "onto": onto})
		if a.refused("importIntegration") == "" || a.at("importIntegration.integration") != nil ||
			h.since(before) != "" {
			t.Errorf("onto %s: answered %s, wrote %q", name, a.body, h.since(before))
		}
		if !strings.HasPrefix(a.refused("importIntegration"), "integrationId: ") && name == "a version" {
			t.Errorf("onto %s: %s", name, a.refused("importIntegration"))
		}
	}
}

// Whatever is exported can be imported again, and says nothing new.
func TestImportingTheExportWritesNothing(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	for _, version := range []any{nil, 7} {
		before := len(h.events())
		text := h.do(exportDocument, vars{"id": id, "version": version}).text("integration.definition")
		a := h.do(importDocument, vars{"definition": text, "onto": id})
		if a.refused("importIntegration") != "" || h.since(before) != "" {
			t.Errorf("answered %s, wrote %q", a.body, h.since(before))
		}
		if again := h.do(exportDocument, vars{"id": id}).text("integration.definition"); again != text {
			t.Error(cmp.Diff(text, again))
		}
	}
	h.published(h.org, id)
	before := len(h.events())
	h.do(importDocument, vars{"definition": shop, "onto": id})
	if got := h.since(before); got != "" {
		t.Errorf("the published definition imported again opened a draft: %s", got)
	}
}

// Everything wrong is told at once with its place, and a refused import leaves no trace.
func TestImportRefusals(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	bad := strings.NewReplacer("hook.results.body.data", "gone.results", "value: Shop URL}", "value: Shop}",
		"definitionVersion: 7", "definitionVersion: 7").Replace(shop)
	for name, c := range map[string]struct {
		definition string
		want       []string
	}{
		"two problems": {bad, []string{`definition: line 14: `, `no config variable "Shop"`,
			`definition: line 26: flow "Orders": step "Tell": inputs.message: dangling reference "gone.results"`}},
		"no YAML":       {"a: [b", []string{"definition: line 1: "}},
		"an older form": {strings.Replace(shop, "Version: 7", "Version: 3", 1), []string{"definition: line 1: ", "3"}},
		"a newer form":  {strings.Replace(shop, "Version: 7", "Version: 8", 1), []string{"definition: line 1: ", "8"}},
		"nothing":       {"", []string{"definition: "}},
		"an alias":      {"name: &a x\ndescription: *a\n", []string{"definition: line ", "alias"}},
		"too large": {shop + "documentation: " + strings.Repeat("x", definition.DefaultLimits.Size) + "\n",
			[]string{"262144"}},
		"twice the flow": {strings.Replace(shop, "name: Returns", "name: Orders", 1),
			[]string{`there is another flow "Orders"`}},
	} {
		for _, onto := range []string{"", id} {
			before := h.events()
			a := h.do(importDocument, vars{"definition": c.definition, "onto": onto})
			for _, want := range c.want {
				if got := a.refused("importIntegration"); !strings.Contains(got, want) {
					t.Errorf("%s: refused with\n%s\nwant %s", name, got, want)
				}
			}
			if a.at("importIntegration.integration") != nil {
				t.Errorf("%s: answered %s", name, a.body)
			}
			if diff := cmp.Diff(before, h.events()); diff != "" {
				t.Errorf("%s: the log changed: %s", name, diff)
			}
		}
	}
}

// TestValidate compares with what an import of the same says.
func TestValidate(t *testing.T) {
	const validate = `mutation ($definition: String!) { validateIntegrationSchema(input: {definition: $definition}) {
		result { isValid } warnings { message line flow step } errors { field messages } } }`
	h := newHarness(t)
	odd := strings.Replace(shop, "description: New orders.", "descripion: New orders.", 1)
	for _, definition := range []string{shop, odd, strings.Replace(shop, "hook.results.body.data", "gone.results", 1),
		"a: [b", ""} {
		imported, before := h.do(importDocument, vars{"definition": definition}), h.events()
		a := h.do(validate, vars{"definition": definition})
		if diff := cmp.Diff(before, h.events()); diff != "" {
			t.Errorf("the log changed: %s", diff)
		}
		refused := imported.refused("importIntegration")
		if a.refused("validateIntegrationSchema") != refused ||
			a.at("validateIntegrationSchema.result.isValid") != (refused == "") {
			t.Errorf("answered %s where an import is answered %s", a.body, imported.body)
		}
		if definition == odd && !strings.Contains(a.text("validateIntegrationSchema.warnings.0.message"),
			"descripion") {
			t.Errorf("answered %s", a.body)
		}
	}
}

func TestImportWarnings(t *testing.T) {
	h := newHarness(t)
	a := h.do(importDocument, vars{"definition": strings.Replace(shop, "description: New orders.",
		"descripion: New orders.", 1)})
	if a.refused("importIntegration") != "" || a.at("importIntegration.warnings.0.line") != 18.0 ||
		a.text("importIntegration.warnings.0.flow") != "Orders" ||
		a.at("importIntegration.warnings.0.step") != nil ||
		!strings.Contains(a.text("importIntegration.warnings.0.message"), "descripion") ||
		a.at("importIntegration.warnings.1") != nil {
		t.Errorf("answered %s", a.body)
	}
	if text := h.do(exportDocument, vars{"id": a.text("importIntegration.integration.id")}).text("integration.definition"); !strings.Contains(text, "descripion: New orders.") {
		t.Errorf("the unknown key is lost:\n%s", text)
	}
}

func TestExport(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	version := h.published(h.org, id)
	h.do(importDocument, vars{"definition": strings.Replace(shop, "Sends orders on.", "Changed.", 1), "onto": id})
	for of, want := range map[string]string{id: "description: Changed.", version: "description: Sends orders on."} {
		text := h.do(exportDocument, vars{"id": of, "version": 7, "latest": false}).text("integration.definition")
		if !strings.Contains(text, want) || !strings.Contains(text, "definitionVersion: 7") || !strings.Contains(text,
			"version: 10") || strings.Contains(text, "LATEST") {
			t.Errorf("exported\n%s", text)
		}
		text = h.do(exportDocument, vars{"id": of, "latest": true}).text("integration.definition")
		if strings.Contains(text, "version: 10") || strings.Count(text, "version: LATEST") != 4 {
			t.Errorf("exported\n%s", text)
		}
	}
	for _, version := range []int{6, 3, 8, -1} {
		a := h.ask(h.tokens[domain.Viewer], exportDocument, vars{"id": id, "version": version})
		if a.status != 200 || a.code() != "INVALID" || !strings.Contains(a.Errors[0].Message, "7") {
			t.Errorf("version %d: answered %s", version, a.body)
		}
	}
}

func TestPublish(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	before := len(h.events())
	a := h.do(publishDocument, vars{"id": id, "comment": "First.", "attributes": `{"commitHash":"abc"}`})
	version := h.made(a, "publishIntegration", "integration")
	if version == id || a.at("publishIntegration.integration.versionNumber") != 1.0 ||
		a.text("publishIntegration.integration.versionComment") != "First." ||
		a.text("publishIntegration.integration.versionCreatedBy.id") != h.users[domain.Admin] ||
		a.at("publishIntegration.integration.versionIsAvailable") != true {
		t.Errorf("answered %s", a.body)
	}
	if got := h.since(before); got != "DraftClosed IntegrationPublished" {
		t.Errorf("wrote %s", got)
	}
	if i, _ := h.View.Integrations.Get(h.id, id); i.Versions[0].Attributes != `{"commitHash":"abc"}` {
		t.Errorf("kept the attributes %q", i.Versions[0].Attributes)
	}
	for name, c := range map[string]struct {
		id, attributes string
		want           string
	}{
		"nothing new":    {id, "", "id: nothing has changed since version 1; edit or import first"},
		"a version":      {version, "", "id: is a published version, which never changes; give the integration's own id"},
		"no integration": {uuid.NewString(), "", "id: Record not found: integration"},
		"no JSON":        {id, "{", "attributes: must be a JSON object as a string"},
		"no object":      {id, `["a"]`, "attributes: must be a JSON object as a string"},
		"null":           {id, `null`, "attributes: must be a JSON object as a string"},
	} {
		before := len(h.events())
		if got := h.do(publishDocument, vars{"id": c.id,
			"attributes": c.attributes}).refused("publishIntegration"); got != c.want || h.since(before) != "" {
			t.Errorf("%s: refused with %q, want %q; wrote %q", name, got, c.want, h.since(before))
		}
	}
}

// Editing goes on in the next draft, which starts from the version; the version itself never changes.
func TestEditsAfterPublishing(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	version := h.published(h.org, id)
	before := len(h.events())
	h.do(importDocument, vars{"definition": strings.Replace(shop, "name: Shop\n", "name: Shop two\n", 1), "onto": id})
	if got := h.since(before); got != "DraftOpened DraftEdited" {
		t.Errorf("wrote %s", got)
	}
	draft, _, err := store.Load(t.Context(), h.Log, domain.Drafts, domain.MainDraftID(id, 1))
	if err != nil || draft.Base != version || draft.Definition.Name() != "Shop two" || !draft.Main {
		t.Errorf("the next draft is %+v, %v", draft, err)
	}
	second := h.published(h.org, id)
	a := h.do(`query ($id: ID!) { integration(id: $id) { name versionNumber versionIsAvailable versionComment
		up: versionSequence { totalCount nodes { id versionNumber name } } down: versionSequence(sortBy: [{field: VERSION_NUMBER, direction: DESC}], first: 1) { nodes { id } pageInfo { hasNextPage } }
		gone: versionSequence(versionIsAvailable: false) { totalCount } } }`, vars{"id": id})
	if a.text("integration.name") != "Shop two" || a.at("integration.versionNumber") != 2.0 ||
		a.at("integration.versionIsAvailable") != false ||
		a.texts("integration.up.nodes", "id") != version+" "+second || a.texts("integration.up.nodes",
		"name") != "Shop Shop two" ||
		a.texts("integration.down.nodes", "id") != second || a.at("integration.down.pageInfo.hasNextPage") != true ||
		a.at("integration.gone.totalCount") != 0.0 {
		t.Errorf("answered %s", a.body)
	}
	all := h.do(`{ integrations(allVersions: true) { nodes { id } } drafts: integrations { nodes { id } } }`, nil)
	if all.texts("integrations.nodes", "id") != strings.Join([]string{id, version, second}, " ") ||
		all.texts("drafts.nodes", "id") != id {
		t.Errorf("answered %s", all.body)
	}
}

// together asks many times at once and returns the answers.
func (h *harness) together(n int, document string, v func(i int) vars) []reply {
	h.t.Helper()
	answers := make([]reply, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i] = h.ask(h.tokens[domain.Admin], document, v(i)) })
	}
	wg.Wait()
	return answers
}

func TestPublishedAtOnce(t *testing.T) {
	h := newHarness(t)
	for range 20 {
		id := h.imported(h.org, shop)
		made := 0
		for _, a := range h.together(4, publishDocument, func(int) vars { return vars{"id": id} }) {
			if len(a.Errors) > 0 {
				t.Fatal(a.body)
			}
			if a.text("publishIntegration.integration.id") != "" {
				made++
			} else if got := a.refused("publishIntegration"); !strings.Contains(got,
				"the draft is closed") && !strings.Contains(got, "nothing has changed") {
				t.Errorf("refused with %q", got)
			}
		}
		i, _, err := store.Load(t.Context(), h.Log, domain.Integrations, id)
		if err != nil || made != 1 || len(i.Versions) != 1 {
			t.Fatalf("%d made it, there are %d versions, %v", made, len(i.Versions), err)
		}
	}
}

// An import that races a publish is in the version, or in the next draft, or was refused: never lost.
func TestImportRacesPublish(t *testing.T) {
	h := newHarness(t)
	inVersion, inDraft, refused := 0, 0, 0
	for range 40 {
		id := h.imported(h.org, shop)
		var imported, published reply
		var wg sync.WaitGroup
		wg.Go(func() {
			imported = h.ask(h.tokens[domain.Admin], importDocument,
				vars{"definition": strings.Replace(shop, "name: Shop\n", "name: Later\n", 1), "onto": id})
		})
		wg.Go(func() { published = h.ask(h.tokens[domain.Admin], publishDocument, vars{"id": id}) })
		wg.Wait()
		if len(imported.Errors) > 0 || len(published.Errors) > 0 {
			t.Fatal(imported.body, published.body)
		}
		a := h.do(`query ($id: ID!) { integration(id: $id) { name definition versionSequence { nodes { name } } } }`,
			vars{"id": id})
		version := a.texts("integration.versionSequence.nodes", "name")
		switch draft := a.text("integration.name"); {
		case imported.refused("importIntegration") != "":
			if refused++; draft == "Later" || version != "Shop" {
				t.Fatalf("refused, and yet %s", a.body)
			}
		case version == "Later":
			inVersion++
		case draft == "Later" && strings.Contains(a.text("integration.definition"), "name: Later"):
			inDraft++
		default:
			t.Fatalf("lost: %s", a.body)
		}
	}
	t.Logf("in the version %d, in a draft %d, refused %d", inVersion, inDraft, refused)
}

// closed closes an integration's draft for a version, and then the process dies.
func (h *harness) closed(id string) domain.DraftClosed {
	h.t.Helper()
	draft, _, err := store.Load(h.t.Context(), h.Log, domain.Drafts, domain.MainDraftID(id, 0))
	h.must(err)
	hash, err := h.Definitions.Save(h.t.Context(), h.id, draft.Definition)
	h.must(err)
	e := domain.DraftClosed{Version: uuid.NewString(), Definition: hash, Note: "Cut off."}
	happen(h, h.as(h.org), domain.Drafts, draft.ID, e)
	return e
}

func TestFinishPublishing(t *testing.T) {
	h := newHarness(t)
	id, whole := h.imported(h.org, shop), h.imported(h.org, shop)
	h.published(h.org, whole)
	closed := h.closed(id)
	for i, want := range []string{"IntegrationPublished", ""} {
		before := len(h.events())
		if err := h.Authoring.Finish(t.Context()); err != nil || h.since(before) != want {
			t.Errorf("time %d: %v, wrote %q", i, err, h.since(before))
		}
	}
	a := h.do(`query ($id: ID!) { integration(id: $id) { versionNumber versionComment versionCreatedBy { id } } }`,
		vars{"id": closed.Version})
	if a.at("integration.versionNumber") != 1.0 || a.text("integration.versionComment") != "Cut off." ||
		a.text("integration.versionCreatedBy.id") != h.users[domain.Admin] {
		t.Errorf("answered %s", a.body)
	}
	h.do(importDocument, vars{"definition": strings.Replace(shop, "name: Shop\n", "name: Next\n", 1), "onto": id})
	if a := h.do(publishDocument, vars{"id": id}); a.at("publishIntegration.integration.versionNumber") != 2.0 {
		t.Errorf("afterwards: %s", a.body)
	}
}

// Without a restart, whoever comes next completes the pair: an edit then goes to the next draft, and a
// second publish is told that there is nothing left to publish.
func TestNextCallerFinishesPublishing(t *testing.T) {
	h := newHarness(t)
	edited, published := h.imported(h.org, shop), h.imported(h.org, shop)
	h.closed(edited)
	h.closed(published)
	before := len(h.events())
	h.do(importDocument, vars{"definition": strings.Replace(shop, "name: Shop\n", "name: Next\n", 1), "onto": edited})
	if got := h.since(before); got != "IntegrationPublished DraftOpened DraftEdited" {
		t.Errorf("an edit writes %q", got)
	}
	before = len(h.events())
	if got := h.do(publishDocument, vars{"id": published}).refused("publishIntegration"); !strings.Contains(got,
		"version 1 was published meanwhile") {
		t.Errorf("a publish is told %q", got)
	}
	if got := h.since(before); got != "IntegrationPublished" {
		t.Errorf("a publish writes %q", got)
	}
}

// fullLog is a log whose disk is full when it comes to a category, brokenLog one that fails as nobody
// expects.
type (
	fullLog struct {
		store.Log
		category string
	}
	brokenLog struct{ store.Log }
)

func (l fullLog) Append(ctx context.Context, stream string, expected store.Revision,
	events ...store.Event) (store.Position, error) {
	if strings.HasPrefix(stream, l.category+"-") {
		return 0, refusal.New(refusal.Unavailable, "the disk is full")
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

func (brokenLog) Append(context.Context, string, store.Revision, ...store.Event) (store.Position, error) {
	return 0, errors.Join(errors.New("inner secret"), &store.ConflictError{Stream: "s", Expected: 5, Actual: 1})
}

// A mutation that fails for no fault of the caller is an error of the request, not of its input.
func TestMutationsThatFail(t *testing.T) {
	h := newHarness(t)
	whole := h.Log
	t.Cleanup(func() { h.Log, h.Authoring.Log = whole, whole })
	for code, log := range map[string]store.Log{"UNAVAILABLE": fullLog{whole, domain.Claims.Name},
		"INTERNAL": brokenLog{whole}} {
		h.Log, h.Authoring.Log = log, log
		a := h.ask(h.tokens[domain.Admin], customerDocument, vars{"name": "Acme", "externalId": "x"})
		if a.status != http.StatusOK || string(a.Data) != "null" || a.code() != code || strings.Contains(a.body,
			"inner secret") {
			t.Errorf("%s: answered %d %s", code, a.status, a.body)
		}
	}
}
