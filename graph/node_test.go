package graph

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"heddle/domain"
)

// What is not there is no error, whatever its id looks like.
func TestNodeOfNothing(t *testing.T) {
	h := newHarness(t)
	ours, theirs := h.furnish(h.org), h.furnish(h.organization("Rivals"))
	removed := h.imported(h.org, shop)
	kept, taken := h.attach(removed, "kept.md", "1"), h.attach(ours.integration, "taken.md", "2")
	h.do(detachDocument, vars{"id": ours.integration, "attachment": taken})
	idle := h.instance(h.org, "Idle", ours.version, ours.customer)
	part := h.do(updateDocument, vars{"input": vars{"id": idle}}).text("updateInstance.instance.flowConfigs.nodes.0.flow.part")
	h.do(deleteDocument, vars{"id": idle})
	flow := h.do(`query ($id: ID!) { integration(id: $id) { flows { nodes { id part } } } }`, vars{"id": removed})
	h.do(`mutation ($id: ID!) { deleteIntegration(input: {id: $id}) { errors { messages } } }`, vars{"id": removed})
	for name, id := range map[string]string{"none": "", "a word": "none",
		"a flow's own":               flow.text("integration.flows.nodes.0.part"),
		"gone with its integration":  flow.text("integration.flows.nodes.0.id"),
		"a file that was taken away": taken, "a file of what is gone": kept,
		"gone with its instance":    domain.PartID(idle, part),
		"a part of nothing":         domain.PartID(newID(), newID()),
		"no part of an integration": domain.PartID(ours.integration, newID()),
		"no part of an instance":    domain.PartID(ours.instance, newID()),
		"no part of an execution":   domain.PartID(ours.execution, newID()),
		"their integration's":       domain.PartID(theirs.integration, newID())} {
		if got := h.ask(h.tokens[domain.Admin], `query ($id: ID!) { node(id: $id) { id } }`,
			vars{"id": id}); string(got.Data) != `{"node":null}` || len(got.Errors) > 0 {
			t.Errorf("%s: %s", name, got.body)
		}
	}
}

// nodes tells for each type that node finds where it is listed, and what tells one from another.
var nodes = map[string]struct {
	document, fields string
	readers          []domain.Role
}{
	"Action": {`{ components { nodes { actions { nodes { ...N } } } } integrations(allVersions: true) { nodes { flows { nodes { trigger { action { ...N } } } } } } }`, `key label description isTrigger isPollingTrigger scheduleSupport allowsBranching component { id key } inputs { totalCount }`, allRoles},
	"ActionInput": {`{ components { nodes { actions { nodes { inputs { nodes { ...N } } } } } } }`,
		`key label description type required default options`, allRoles},
	"ApiToken": {`{ apiTokens { nodes { ...N } } }`, `name user { id } createdAt revokedAt`, adminish},
	"Attachment": {`{ integrations(allVersions: true) { nodes { attachments { nodes { ...N } } } } }`,
		`name size addedAt addedBy { id }`, allRoles},
	"AuditEvent": {`{ auditEvents { nodes { ...N } } }`, `position kind subject revision at actor hash data`,
		adminish},
	"Component": {`{ components { nodes { ...N } } }`, `key label actions { totalCount }`, allRoles},
	"Customer":  {`{ customers { nodes { ...N } } }`, `name createdAt`, allRoles},
	"Draft":     {`{ drafts { nodes { ...N } } }`, `name isMain revision createdAt`, allRoles},
	"Instance": {`{ instances { nodes { ...N } } hidden: instances(isSystem: true) { nodes { ...N } } }`,
		`name enabled integration { id }`, allRoles},
	"Integration": {`{ integrations(allVersions: true) { nodes { ...N } } }`, `name versionNumber definition`,
		allRoles},
	"Notification": {`{ notifications { nodes { ...N } } }`, `type at draft { id }`, nil}, // of the caller alone
	"User":         {`{ users { nodes { ...N } } }`, `name email role { id }`, allRoles},

	"IntegrationFlow":         {`{ integrations(allVersions: true) { nodes { flows { nodes { ...N } } } } instances { nodes { flowConfigs { nodes { flow { ...N } } } } } }`, `part stableKey name description isSynchronous testUrl trigger { action { id } }`, allRoles},
	"InstanceFlowConfig":      {`{ instances { nodes { flowConfigs { nodes { ...N } } } } hidden: instances(isSystem: true) { nodes { flowConfigs { nodes { ...N } } } } }`, `flow { id name } webhookUrl apiKeys`, allRoles},
	"InstanceConfigVariable":  {`{ instances { nodes { configVariables { nodes { ...N } } } } integrations { nodes { testConfigVariables { nodes { ...N } } } } }`, `value status inputs { totalCount } requiredConfigVariable { id key }`, allRoles},
	"InstanceExecutionResult": {`{ executionResults { nodes { ...N } } }`, `status queuedAt flowName`, allRoles},
	"Expression":              {`{ instances { nodes { configVariables { nodes { inputs { nodes { ...N } } } } } } integrations { nodes { testConfigVariables { nodes { inputs { nodes { ...N } } } } } } }`, `name value`, allRoles},
	"ExecutionSection": {`query ($run: ID!) { executionSections(executionResult: $run) { nodes { ...N } } }`,
		`sectionId label`, allRoles},
	"Log": {`{ executionResults { nodes { logs { nodes { ...N } } } } }`,
		`timestamp severity message executionId sectionId stepName`, allRoles},
	"InstanceStepResult": {`{ executionResults { nodes { stepResults { nodes { ...N } } } } }`,
		`stepName path startedAt endedAt hasError error result resultSize`, allRoles},
}

// Whatever is a node is the same wherever it is found, for all who may find it there, and is nothing to
// other organizations. No two have one id.
func TestNode(t *testing.T) {
	h := newHarness(t)
	rivals := h.organization("Rivals")
	h.furnish(rivals)
	run := h.furnishNodes()
	owner := map[string]any{}
	for name, n := range nodes {
		fragment := " fragment N on " + name + " { __typename id " + n.fields + " }"
		listed := objects(h.do(n.document+fragment, vars{"run": run}), name)
		if len(listed) < 2 {
			t.Errorf("%s: there are %d", name, len(listed))
		}
		for _, want := range listed {
			id, _ := want["id"].(string)
			if other, taken := owner[id]; taken && !reflect.DeepEqual(other, want) {
				t.Errorf("%s and %s have the id %s", other, want, id)
			}
			owner[id] = want
		}
		for _, want := range listed[:min(len(listed), 12)] {
			for role, token := range h.tokens {
				got := h.ask(token, `query ($id: ID!) { node(id: $id) { ...N } }`+fragment, vars{"id": want["id"]})
				if may := role == domain.Admin || slices.Contains(n.readers, role); may &&
					!reflect.DeepEqual(got.at("node"), any(want)) || !may && string(got.Data) != `{"node":null}` {
					t.Errorf("%s to %s: got %s, want %s", name, role, got.body, want)
				}
			}
			got := h.doAs(rivals, `query ($id: ID!) { node(id: $id) { id } }`, vars{"id": want["id"]})
			if common := name == "Component" || name == "ActionInput" || name == "Action" &&
				len(want["id"].(string)) == 36; common == (got.at("node") == nil) {
				t.Errorf("%s to others: %s", name, got.body)
			}
		}
	}
	var types []string
	for _, d := range NewExecutableSchema(Config{}).Schema().GetPossibleTypes(&ast.Definition{Kind: ast.Interface,
		Name: "Node"}) {
		types = append(types, d.Name)
	}
	slices.Sort(types)
	if known := slices.Sorted(maps.Keys(nodes)); !slices.Equal(types, known) {
		t.Errorf("there are %v, and tried were %v", types, known)
	}
}

// furnishNodes makes at least two of everything that is a node, with what could be mistaken for each other.
// It gives an execution.
func (h *harness) furnishNodes() (run string) {
	ours := h.furnish(h.org)
	h.furnish(h.org)
	h.attach(ours.integration, "one.md", "1")
	h.attach(ours.integration, "two.md", "2")
	run = h.started(ours.instance)
	h.stepped(run, "one")
	h.stepped(run, "two")
	renamed := strings.Replace(strings.Replace(shop, "name: Orders", "name: Renamed", 1),
		"webhook-triggers, version: 10", "unknown-triggers, version: 1", 1)
	renamed = strings.Replace(renamed, "version: 3, isPublic: true}}",
		"version: 3, isPublic: true}}\n    inputs: {key: {type: value, value: x}, user: {type: value, value: y}}", 1)
	h.do(importDocument, vars{"definition": renamed, "onto": ours.integration}) // the version has the old flow still
	for _, name := range []string{"D", "E"} {
		draft := h.do(`mutation ($id: ID!, $name: String!) { createDraft(input: {id: $id, name: $name}) { draft { id } } }`, vars{"id": ours.integration, "name": name}).text("createDraft.draft.id")
		h.edit(domain.Collaborator, draft, h.revision(draft), named(name))
		h.ask(h.tokens[domain.Collaborator], requestReview, vars{"id": draft, "to": []any{h.users[domain.Admin]}})
	}
	return run
}

// objects are those of a type, anywhere in an answer.
func objects(in any, name string) (all []map[string]any) {
	switch in := in.(type) {
	case reply:
		var data any
		_ = json.Unmarshal(in.Data, &data) // no data, no objects
		return objects(data, name)
	case []any:
		for _, v := range in {
			all = append(all, objects(v, name)...)
		}
	case map[string]any:
		if in["__typename"] == name {
			return []map[string]any{in}
		}
		for _, key := range slices.Sorted(maps.Keys(in)) {
			all = append(all, objects(in[key], name)...)
		}
	}
	return all
}

// Whatever takes a flow takes it by its own id, and by the one it has in a draft or version.
func TestFlowsByEitherID(t *testing.T) {
	h := newHarness(t)
	ours := h.furnish(h.org)
	a := h.do(`query ($id: ID!) { instance(id: $id) { flowConfigs { nodes { flow { id part } } } } }`,
		vars{"id": ours.instance})
	b := h.do(`query ($id: ID!) { integration(id: $id) { draftRevision flows { nodes { id part } } } }`,
		vars{"id": ours.integration})
	part, here, there := b.text("integration.flows.nodes.0.part"), b.text("integration.flows.nodes.0.id"),
		a.text("instance.flowConfigs.nodes.0.flow.id")
	if part != a.text("instance.flowConfigs.nodes.0.flow.part") || part == here || here == there {
		t.Fatalf("got %s and %s", a.body, b.body)
	}
	run := newID()
	happen(h, h.org.system(t.Context()), domain.Runs, run, domain.RunQueued{Instance: ours.instance,
		Integration: ours.integration, Flow: part, FlowName: "Orders", Invoke: domain.InvokedByWebhook})
	for _, id := range []string{part, here, there} {
		if a := h.do(`query ($id: ID!) { executionResults(flowConfig_Flow: $id) { nodes { id } } }`,
			vars{"id": id}); a.texts("executionResults.nodes", "id") != run {
			t.Errorf("executions of %s: %s", id, a.body)
		}
		a := h.do(updateDocument, vars{"input": vars{"id": ours.instance,
			"flowConfigs": []any{vars{"flowId": id, "apiKeys": []any{"key of " + id}}}}})
		if got := a.text("updateInstance.instance.flowConfigs.nodes.0.apiKeys.0"); !strings.HasSuffix(got,
			id[len(id)-4:]) {
			t.Errorf("keys of %s: %s", id, a.body)
		}
		revision := h.do(`query ($id: ID!) { integration(id: $id) { draftRevision } }`,
			vars{"id": ours.integration}).text("integration.draftRevision")
		edited := h.edit(domain.Admin, ours.integration, revision,
			vars{"op": "SET", "node": id, "path": []any{"description"}, "value": `"` + id + `"`})
		if got := edited.refused("editDraft"); got != "" {
			t.Errorf("an edit of %s: %s", id, got)
		}
		if a := h.do(`query ($id: ID!) { integration(id: $id) { flows { nodes { description } } } }`,
			vars{"id": ours.integration}); a.text("integration.flows.nodes.0.description") != id {
			t.Errorf("edited %s: %s", id, a.body)
		}
		opened := h.do(`mutation ($id: ID!, $part: ID!) { openThread(input: {id: $id, part: $part, text: "Why?"}) { thread { part } errors { messages } } }`, vars{"id": ours.integration, "part": id})
		if opened.text("openThread.thread.part") != part {
			t.Errorf("a thread on %s: %s", id, opened.body)
		}
	}
}
