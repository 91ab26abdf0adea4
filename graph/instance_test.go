package graph

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"heddle/domain"
)

func TestCreateInstance(t *testing.T) {
	h := newHarness(t)
	customer, id := h.customer(h.org, "Acme"), h.imported(h.org, shop)
	first := h.published(h.org, id)
	h.do(importDocument, vars{"definition": strings.Replace(shop, "Sends orders on.", "Two.", 1), "onto": id})
	second := h.published(h.org, id)
	for of, want := range map[string]string{id: second, first: first, second: second} {
		before := len(h.events())
		a := h.do(instanceDocument, vars{"name": "Acme's", "integration": of, "customer": customer})
		if a.text("createInstance.instance.integration.id") != want ||
			a.text("createInstance.instance.customer.id") != customer ||
			a.at("createInstance.instance.needsDeploy") != true ||
			a.at("createInstance.instance.enabled") != true || a.at("createInstance.instance.deployedVersion") != nil ||
			a.at("createInstance.instance.lastDeployedAt") != nil {
			t.Errorf("of %s: answered %s", of, a.body)
		}
		if a.text("createInstance.instance.configState") != "NEEDS_INSTANCE_CONFIGURATION" ||
			a.texts("createInstance.instance.configVariables.nodes", "status") != "ACTIVE ERROR" ||
			a.text("createInstance.instance.configVariables.nodes.0.value") != "https://shop.example" {
			t.Errorf("of %s: its configuration is %s", of, a.body)
		}
		if got := h.since(before); got != "InstanceCreated" {
			t.Errorf("wrote %s", got)
		}
	}
}

func TestCreateInstanceRefusals(t *testing.T) {
	h := newHarness(t)
	customer, id, draft := h.customer(h.org, "Acme"), h.imported(h.org, shop), h.imported(h.org, shop)
	h.published(h.org, id)
	config := func(entry vars) []any { return []any{entry} }
	for want, v := range map[string]vars{
		"integration: has no published version; publish it first":                                                {"integration": draft},
		"integration: Record not found: integration":                                                             {"integration": uuid.NewString()},
		"customer: Record not found: customer":                                                                   {"customer": uuid.NewString()},
		"name: must not be empty":                                                                                {"name": "  "},
		`configVariables: "Shop" is no config variable of this version; it has Shop URL, Shop Login`:             {"config": config(vars{"key": "Shop", "value": "x"})},
		`configVariables: "Shop Login" is a connection: values must be a JSON list of {name, type, value}`:       {"config": config(vars{"key": "Shop Login", "values": "{s3cret"})},
		`configVariables: "Shop Login" is a connection: values must be a JSON list of {name, type, value} `[:96]: {"config": config(vars{"key": "Shop Login", "value": "s3cret"})},
	} {
		input := vars{"name": "I", "integration": id, "customer": customer}
		for key, value := range v {
			input[key] = value
		}
		before := len(h.events())
		a := h.do(instanceDocument, input)
		if !strings.HasPrefix(a.refused("createInstance"), want) || a.at("createInstance.instance") != nil ||
			h.since(before) != "" || strings.Contains(a.body, "s3cret") {
			t.Errorf("want %s: answered %s, wrote %q", want, a.body, h.since(before))
		}
	}
}

// What a connection holds is sealed before anything else sees it, and opens at its own place only.
func TestConfigVariables(t *testing.T) {
	h := newHarness(t)
	customer, other, id := h.customer(h.org, "Acme"), h.customer(h.org, "Other"), h.imported(h.org, shop)
	version := h.published(h.org, id)
	a := h.do(instanceDocument, vars{"name": "I", "integration": version, "customer": customer, "config": []any{
		vars{"key": "Shop URL", "value": "https://acme.example"}, nil,
		vars{"key": "Shop Login", "values": `[{"name":"user","type":"value","value":"acme"},{"name":"password","type":"value","value":"s3cret"}]`}}})
	if strings.Contains(a.body, "s3cret") || a.text("createInstance.instance.configState") != "FULLY_CONFIGURED" ||
		a.texts("createInstance.instance.configVariables.nodes",
			"requiredConfigVariable.key") != "Shop URL Shop Login" ||
		a.text("createInstance.instance.configVariables.nodes.0.value") != "https://acme.example" ||
		a.at("createInstance.instance.configVariables.nodes.1.value") != nil {
		t.Errorf("answered %s", a.body)
	}
	for _, r := range h.events() {
		if bytes.Contains(r.Data, []byte("s3cret")) {
			t.Errorf("%s holds the secret", r.Kind)
		}
	}
	i, _ := h.View.Instances.Get(h.id, h.made(a, "createInstance", "instance"))
	var sealed domain.ConfigValue
	for _, v := range i.Config {
		if v.Key == "Shop Login" {
			sealed = v
		}
	}
	acme, _ := h.View.Customers.Get(h.id, customer)
	rival, _ := h.View.Customers.Get(h.id, other)
	place := domain.ConfigContext(i.ID, sealed.Variable)
	plain, err := h.Vault.Open(acme.Key, domain.CustomerKeyContext(customer), place, sealed.Sealed)
	var fields map[string]string
	if err != nil || json.Unmarshal(plain, &fields) != nil || fields["password"] != "s3cret" ||
		fields["user"] != "acme" || sealed.Value != "" {
		t.Errorf("holds %s, %v", plain, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another customer's key": func() ([]byte, error) {
			return h.Vault.Open(rival.Key, domain.CustomerKeyContext(other), place, sealed.Sealed)
		},
		"another place of the key": func() ([]byte, error) {
			return h.Vault.Open(acme.Key, domain.CustomerKeyContext(other), place, sealed.Sealed)
		},
		"another instance": func() ([]byte, error) {
			return h.Vault.Open(acme.Key, domain.CustomerKeyContext(customer),
				domain.ConfigContext(uuid.NewString(), sealed.Variable), sealed.Sealed)
		},
		"another variable": func() ([]byte, error) {
			return h.Vault.Open(acme.Key, domain.CustomerKeyContext(customer),
				domain.ConfigContext(i.ID, uuid.NewString()),
				sealed.Sealed)
		},
	} {
		if _, err := open(); err == nil {
			t.Errorf("it opens with %s", name)
		}
	}
}

func TestDeployInstance(t *testing.T) {
	h := newHarness(t)
	version := h.published(h.org, h.imported(h.org, shop))
	id := h.instance(h.org, "I", version, h.customer(h.org, "Acme"))
	for range 2 { // deploying again is recorded too
		before := len(h.events())
		a := h.do(deployDocument, vars{"id": id})
		if a.at("deployInstance.instance.needsDeploy") != false ||
			a.text("deployInstance.instance.lastDeployedAt") == "" ||
			a.text("deployInstance.instance.deployedVersion.id") != version || h.since(before) != "InstanceDeployed" {
			t.Errorf("answered %s, wrote %s", a.body, h.since(before))
		}
	}
	before := len(h.events())
	if a := h.do(deployDocument, vars{"id": uuid.NewString()}); a.refused("deployInstance") != "id: Record not found: instance" || h.since(before) != "" {
		t.Errorf("answered %s", a.body)
	}
}

func TestInstanceFilters(t *testing.T) {
	h := newHarness(t)
	acme, bolt := h.customer(h.org, "Acme"), h.customer(h.org, "Bolt")
	one, two := h.imported(h.org, shop), h.imported(h.org, shop)
	v1, w1 := h.published(h.org, one), h.published(h.org, two)
	h.do(importDocument, vars{"definition": strings.Replace(shop, "Sends orders on.", "Two.", 1), "onto": one})
	v2 := h.published(h.org, one)
	a, b, c := h.instance(h.org, "Alpha", v1, acme), h.instance(h.org, "Beta", v2, acme), h.instance(h.org, "Gamma", w1,
		bolt)
	for filter, want := range map[string]string{
		``:                                       a + " " + b + " " + c,
		`(customer: "` + acme + `")`:             a + " " + b,
		`(customer: "")`:                         a + " " + b + " " + c,
		`(customer: "` + uuid.NewString() + `")`: "",
		`(integration: "` + one + `")`:           a + " " + b,
		`(integration: "` + v2 + `")`:            b,
		`(integration: "")`:                      a + " " + b + " " + c,
		`(customer: "` + bolt + `", integration: "` + one + `")`: "",
		`(name_Icontains: "A")`:                                  a + " " + b + " " + c,
		`(name_Icontains: "alph")`:                               a,
		`(name_Icontains: null, isSystem: null)`:                 a + " " + b + " " + c,
	} {
		if got := h.do(`{ instances`+filter+` { nodes { id } } }`, nil).texts("instances.nodes", "id"); got != want {
			t.Errorf("%s: got %s, want %s", filter, got, want)
		}
	}
	got := h.do(`query ($id: ID!) { customer(id: $id) { instances { totalCount nodes { id } } } }`, vars{"id": acme})
	if got.texts("customer.instances.nodes", "id") != a+" "+b {
		t.Errorf("the customer's are %s", got.body)
	}
}

// A trigger's address stands for the flow of the instance: versions and names come and go.
func TestWebhookURLsAreStable(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	customer := h.customer(h.org, "Acme")
	first := h.published(h.org, id)
	instance := h.instance(h.org, "I", first, customer)
	configs := func() (names, urls string) {
		a := h.do(`query ($id: ID!) { instance(id: $id) { flowConfigs { nodes { webhookUrl flow { name } } } } }`,
			vars{"id": instance})
		return a.texts("instance.flowConfigs.nodes", "flow.name"), a.texts("instance.flowConfigs.nodes", "webhookUrl")
	}
	_, was := configs()
	if !strings.HasPrefix(was, "http://heddle.test/trigger/") || strings.Count(was, "/trigger/") != 2 {
		t.Errorf("the addresses are %s", was)
	}
	h.do(importDocument, vars{"definition": strings.Replace(shop, "name: Orders", "name: All orders", 1), "onto": id})
	second := h.published(h.org, id)
	happen(h, h.as(h.org), domain.Instances, uuid.NewString(), domain.InstanceCreated{Name: "else", Integration: id,
		Version: second})
	// No mutation moves an instance to another version yet, so its state is looked at as such a one would leave it.
	moved, _ := h.View.Instances.Get(h.id, instance)
	moved.Version = second
	page, err := (&instanceResolver{h.Resolver}).FlowConfigs(h.as(h.org), &moved, nil, nil, nil, nil)
	h.must(err)
	var now []string
	for _, c := range page.Nodes {
		url, err := (&instanceFlowConfigResolver{h.Resolver}).WebhookURL(h.as(h.org), &c)
		h.must(err)
		now = append(now, url)
	}
	if page.Nodes[0].Flow.Name() != "All orders" || strings.Join(now, " ") != was {
		t.Errorf("with the new version %v, before %s", now, was)
	}
	if names, urls := configs(); names != "Orders Returns" || urls != was {
		t.Errorf("the instance of the old version has %s at %s", names, urls)
	}
}

func TestTestConfigVariables(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	for filter, want := range map[string]string{``: "Shop URL Shop Login", `(status: "error")`: "Shop Login",
		`(status: "pending")`: "", `(status: "")`: "Shop URL Shop Login",
		`(status_In: ["active", null, "error"])`: "Shop URL Shop Login", `(status_In: ["active"])`: "Shop URL",
		`(first: 1)`: "Shop URL"} {
		a := h.do(`query ($id: ID!) { integration(id: $id) { testConfigVariables`+filter+` { nodes { authorizeUrl requiredConfigVariable { key dataType } } } } }`, vars{"id": id})
		if got := a.texts("integration.testConfigVariables.nodes", "requiredConfigVariable.key"); got != want {
			t.Errorf("%s: %s, want %s", filter, got, want)
		}
	}
}
