package worker

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"heddle/component"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/projections"
)

// withKey sets an API key for a flow of an instance, sealed as the API does.
func (h *harness) withKey(instance, flow string, keys ...string) {
	h.t.Helper()
	state, _ := h.View.Instances.Find(instance)
	wrapped, place, ok := h.View.DataKey(state)
	if !ok {
		h.t.Fatal("the organization has no data key")
	}
	set := domain.FlowKeysSet{Flow: flow}
	for _, key := range keys {
		sealed, err := h.Vault.Seal(wrapped, place, domain.FlowKeyContext(instance, flow), []byte(key))
		if err != nil {
			h.t.Fatal(err)
		}
		set.Keys = append(set.Keys, domain.FlowKey{Sealed: sealed})
	}
	if err := h.View.Wait(h.ctx, changeAll(h, domain.Instances, instance, set)); err != nil {
		h.t.Fatal(err)
	}
}

func TestEndpointKeys(t *testing.T) {
	h := newHarness(t)
	key, err := h.Vault.NewDataKey(domain.OrganizationKeyContext(h.organization))
	if err != nil {
		t.Fatal(err)
	}
	changeAll(h, domain.Organizations, h.organization, domain.OrganizationCreated{Name: "O", Key: key})
	place := domain.OrganizationAPIKeyContext(h.organization)
	sealed, err := h.Vault.Seal(key, domain.OrganizationKeyContext(h.organization), place, []byte("ours-sealed"))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := h.Vault.Seal(key, domain.OrganizationKeyContext(h.organization), "elsewhere", []byte("ours-moved"))
	if err != nil {
		t.Fatal(err)
	}
	const ours = "    endpointSecurityType: organization\n    organizationApiKeys: ["
	kept := definition.SealedKey("ours-sealed", sealed)
	instance, urls := h.deploy(integrationOf(
		flow("Sealed", ours+"ours-ours, '"+kept+"']\n", "", ""),
		flow("Moved", ours+"'"+definition.SealedKey("ours-moved", foreign)+"']\n", "", ""),
		flow("Open", "    endpointSecurityType: unsecured\n", "", ""),
		flow("Optional", "    endpointSecurityType: customer_optional\n    isSynchronous: true\n", "",
			codeStep("Give", `module.exports = async (c, {hook}) => ({data: [c.webhookApiKeys.Optional.length, hook.results.webhookApiKeys, c.webhookApiKeys]})`)),
		flow("Unset", "", "", ""), flow("Required", "    endpointSecurityType: customer_required\n", "", ""),
		flow("Bare", "    endpointSecurityType: customer_required\n", "", ""),
		flow("Ours", "    endpointSecurityType: organization\n    organizationApiKeys: [ours-ours]\n", "", ""),
		flow("Nobody's", "    endpointSecurityType: organization\n", "", "")))
	_, flowOf := h.flows(instance)
	for _, name := range []string{"Open", "Optional", "Required", "Ours"} {
		h.withKey(instance, flowOf[name], "key-one", "key-two")
	}
	h.start()
	for _, c := range []struct {
		flow, key string
		status    int
		says      string
	}{
		{"Open", "", 200, ""}, {"Open", "wrong", 200, ""},
		{"Optional", "", 401, "wants an API key"}, {"Optional", "wrong", 403, "not one of this endpoint's"},
		{"Optional", "key-two", 200, `[2,null,{"Bare":[],"Moved":[],"Nobody's":[],"Open":["<secret API key of Open `},
		{"Unset", "", 200, ""}, {"Unset", "any", 200, ""},
		{"Required", "", 401, "wants an API key"}, {"Required", "key-one", 200, ""},
		{"Bare", "", 401, "no API key is set for it"}, {"Bare", "any", 401, "no API key is set for it"},
		{"Sealed", "ours-sealed", 200, ""}, {"Sealed", "ours-ours", 200, ""},
		{"Sealed", "ours-moved", 403, "not one of"},
		{"Sealed", kept, 403, "not one of"}, {"Sealed", "", 401, "wants an API key"},
		{"Moved", "ours-moved", 500, "internal error"},
		{"Ours", "key-one", 403, "not one of"}, {"Ours", "ours-ours", 200, ""},
		{"Nobody's", "", 401, "no API key is set"},
	} {
		var headers []string
		if c.key != "" {
			headers = []string{apiKeyHeader, c.key}
		}
		a := h.post(urls[c.flow], "", "", headers...)
		if a.Code != c.status || !strings.Contains(a.Body.String(), c.says) || c.status == 200 &&
			strings.Contains(a.Body.String(), "key-one") {
			t.Errorf("%s with %q: answered %d %s", c.flow, c.key, a.Code, a.Body)
		}
	}
	h.withKey(instance, flowOf["Optional"]) // all of them go
	if a := h.post(urls["Optional"], "", ""); a.Code != 200 || !strings.HasPrefix(a.Body.String(), "[0,null,{") {
		t.Errorf("without keys: answered %d %s", a.Code, a.Body)
	}
}

// flows returns the deployed definition of an instance, and the ids of its flows by name.
func (h *harness) flows(instance string) (definition *definition.Part, ids map[string]string) {
	h.t.Helper()
	state, _ := h.View.Instances.Find(instance)
	integration, _ := h.View.Integrations.Find(state.Integration)
	version, _ := integration.Version(state.Deployed)
	definition, err := h.Definitions.Get(h.ctx, h.organization, version.Definition)
	if err != nil {
		h.t.Fatal(err)
	}
	ids = map[string]string{}
	for _, flow := range definition.Flows() {
		ids[flow.Name()] = flow.ID
	}
	return definition, ids
}

// Remove flows run once after the removal; nothing else does.
func TestSchedulerRemoves(t *testing.T) {
	h := newHarness(t)
	instance, urls := h.deploy(integrationOf(timed("Tear down", "management-triggers", "instanceRemove", ""),
		cronFlow("Often", "* * * * *", "minute", ""), flow("Hook", "", "", "")))
	h.start()
	if err := h.View.Wait(h.ctx, changeAll(h, domain.Instances, instance, domain.InstanceRemoved{})); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); h.started() != "Tear down TEAR_DOWN_FLOW"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("started %s", h.started())
		}
	}
	if a := h.post(urls["Hook"], "", ""); a.Code != 404 || !strings.Contains(a.Body.String(), "removed") {
		t.Errorf("its URL answers %d %s", a.Code, a.Body)
	}
	h.stop()
	again := h.again()
	again.start()
	c := again.scheduler()
	c.refresh(h.ctx, time.Now())
	c.fire(h.ctx, time.Now().Add(time.Hour))
	if got := h.started(); got != "Tear down TEAR_DOWN_FLOW" {
		t.Errorf("started %s", got)
	}
	page, err := h.Runs.Executions(h.ctx, projections.ExecutionQuery{Organization: h.organization, Limit: 10})
	if err != nil || len(page) != 1 {
		t.Fatal(page, err)
	}
	if r := h.ended(page[0].ID); r.Finished.Result != domain.Completed {
		t.Errorf("ended %+v", r.Finished)
	}
}

// A plan holds what starts by itself, and nothing else.
func TestPlanOf(t *testing.T) {
	h := newHarness(t)
	instance, _ := h.deploy(integrationOf(timed("Up", "management-triggers", "instanceDeploy", ""),
		timed("Down", "management-triggers", "instanceRemove", ""),
		cronFlow("Tick", "0 0 * * *", "day", ""), flow("Hook", "", "", "")))
	node, ids := h.flows(instance)
	p := h.scheduler().planOf(node)
	got, _ := json.Marshal([]bool{len(p.flows) == 3, p.flows[0].flow == ids["Up"],
		p.flows[0].trigger.Start == component.StartDeploy, p.flows[1].trigger.Start == component.StartRemove,
		p.flows[2].schedule != nil})
	if string(got) != "[true,true,true,true,true]" {
		t.Errorf("the plan is %+v", p)
	}
}
