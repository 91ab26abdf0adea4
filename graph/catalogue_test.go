package graph

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"heddle/domain"
	"heddle/domain/refusal"
)

// ask asks as somebody who may look only.
func ask(h *harness, document string) reply { return h.ask(h.org.tokens[domain.Viewer], document, nil) }

func TestCatalogue(t *testing.T) {
	h := newHarness(t)
	all := ask(h, `{ components { totalCount nodes { id key label description public category versionNumber signature versionCreatedAt customer { id } } } }`)
	keys := strings.Fields(all.texts("components.nodes", "key"))
	if !slices.IsSorted(keys) || !slices.Contains(keys, "code") ||
		all.at("components.totalCount") != float64(len(keys)) {
		t.Errorf("got %v, %v", keys, all.at("components.totalCount"))
	}
	one := ask(h, `{ components(key: "webhook-triggers", public: true) { nodes { id key category versionNumber
		actions(isTrigger: true, isDataSource: false) { nodes { key label isTrigger scheduleSupport isPollingTrigger component { key } inputs(first: 1) { totalCount nodes { key type required default options } pageInfo { hasNextPage } } } } } } }`)
	trigger := "components.nodes.0.actions.nodes.0."
	if one.text(trigger+"key") != "webhook" || one.text(trigger+"component.key") != "webhook-triggers" ||
		one.text(trigger+"scheduleSupport") != "INVALID" ||
		one.at(trigger+"inputs.totalCount") != 4.0 || one.text(trigger+"inputs.nodes.0.key") != "statusCode" ||
		one.at(trigger+"inputs.pageInfo.hasNextPage") != true ||
		one.at("components.nodes.0.versionNumber") != 1.0 {
		t.Errorf("got %+v", one)
	}
	id := one.text("components.nodes.0.id")
	same := ask(h, `{ component(id: "`+id+`") { key all: actions { totalCount } none: actions(isDataSource: true) { nodes { id } } actions(isTrigger: false) { nodes { id } } } }`)
	if same.text("component.key") != "webhook-triggers" || same.at("component.all.totalCount") != 1.0 ||
		len(same.at("component.none.nodes").([]any)) != 0 || len(same.at("component.actions.nodes").([]any)) != 0 {
		t.Errorf("got %+v", same)
	}
	if a := ask(h, `{ component(id: "nothing") { id } }`); a.code() != string(refusal.NotFound) {
		t.Errorf("got %+v", a)
	}
}

func TestCataloguePages(t *testing.T) {
	h := newHarness(t)
	all := ask(h, `{ components { nodes { key } } }`).texts("components.nodes", "key")
	var paged []string
	for after := ""; ; {
		a := ask(h, `{ components(first: 3, after: "`+after+`") { nodes { key } pageInfo { hasNextPage endCursor } } }`)
		paged = append(paged, a.texts("components.nodes", "key"))
		if a.at("components.pageInfo.hasNextPage") != true {
			break
		}
		after = a.text("components.pageInfo.endCursor")
	}
	if strings.Join(paged, " ") != all {
		t.Errorf("got %v, want %v", paged, all)
	}
}

func TestCatalogueFilter(t *testing.T) {
	h := newHarness(t)
	for filter, want := range map[string]string{
		`["or",["in","key","WEBHOOK"],["in","label","webhook"]]`:                                                                    "webhook-triggers",
		`["and",["equal","key","Code"],["notEqual","label","x"],["notIn","key","x"]]`:                                               "code",
		`["startsWith","key","webhook"]`:                                                                                            "webhook-triggers",
		`["and",["endsWith","key","ode"],["doesNotStartWith","key","x"],["doesNotEndWith","key","x"],["equal","category","logic"]]`: "code",
		`["equal","key","nothing"]`:                                                                                                 "",
	} {
		a := ask(h, `{ components(filterQuery: `+strconv.Quote(filter)+`) { nodes { key } } }`)
		if got := a.texts("components.nodes", "key"); got != want {
			t.Errorf("%s: got %s", filter, got)
		}
	}
	for _, filter := range []string{`{`, `[]`, `["in","key"]`, `["like","key","x"]`, `["in","id","x"]`,
		`["in","key",5]`, `["or",["in"]]`} {
		if a := ask(h, `{ components(filterQuery: `+strconv.Quote(filter)+`) { nodes { key } } }`); a.code() != string(refusal.Invalid) {
			t.Errorf("%s: got %+v", filter, a)
		}
	}
	for argument, want := range map[string]int{`key: "code", public: false`: 0, `key: "code", versionNumber: 1`: 1,
		`key: "code", versionNumber: 2`: 0, `key: "code", allVersions: true`: 1} {
		if a := ask(h, `{ components(`+argument+`) { nodes { key } } }`); len(a.at("components.nodes").([]any)) != want {
			t.Errorf("%s: got %+v", argument, a)
		}
	}
}

// What is unknown is imported with a warning.
func TestImportWarnsOfUnknownActions(t *testing.T) {
	h := newHarness(t)
	unknown := strings.Replace(shop, "key: webhook-triggers", "key: carrier-pigeon", 1)
	if unknown == shop {
		t.Fatal("the definition has no webhook")
	}
	a := h.do(`mutation { importIntegration(input: {definition: `+strconv.Quote(unknown)+`}) { integration { id } warnings { line flow step message } errors { field } } }`, nil)
	if a.text("importIntegration.integration.id") == "" ||
		!strings.Contains(a.text("importIntegration.warnings.0.message"), `no component "carrier-pigeon"`) ||
		a.at("importIntegration.warnings.0.line") == 0.0 || a.text("importIntegration.warnings.0.step") == "" ||
		a.at("importIntegration.warnings.1") != nil {
		t.Errorf("got %+v", a)
	}
}
