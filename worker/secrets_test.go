package worker

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"heddle/component/value"
	"heddle/domain"
)

const planted = `pl4nted-"sécret"/+& !~(*)`

// connected deploys a definition whose connection "Their API" has a planted secret.
func (h *harness) connected(flows ...string) (instance string, urls map[string]string) {
	h.t.Helper()
	key, err := h.Vault.NewDataKey(domain.OrganizationKeyContext(h.organization))
	if err != nil {
		h.t.Fatal(err)
	}
	changeAll(h, domain.Organizations, h.organization, domain.OrganizationCreated{Name: "O", Key: key})
	instance, urls = h.deploy(integrationOf(flows...) +
		"configPages:\n  - name: One\n    elements: [{type: configVar, value: Their API}]\n" +
		"requiredConfigVars:\n  - {key: Their API, dataType: connection, connection: {key: basic, component: {key: http, isPublic: true, version: LATEST}}, inputs: {}}\n")
	state, _ := h.View.Instances.Find(instance)
	node, _ := h.flows(instance)
	variable := node.ConfigVars()[0]
	wrapped, place, _ := h.View.DataKey(state)
	fields, _ := json.Marshal(map[string]any{"username": "somebody", "password": planted,
		"baseUrl": "https://api.example.com", "pin": "1234", "code": "987654"})
	sealed, err := h.Vault.Seal(wrapped, place, domain.ConfigContext(instance, variable.ID), fields)
	if err != nil {
		h.t.Fatal(err)
	}
	set := domain.InstanceConfigured{Values: []domain.ConfigValue{{Variable: variable.ID, Key: variable.Key(),
		Sealed: sealed}}}
	if err := h.View.Wait(h.ctx, changeAll(h, domain.Instances, instance, set)); err != nil {
		h.t.Fatal(err)
	}
	return instance, urls
}

// leaks lists the forms of the planted secret that a text holds.
func leaks(text string) (found []string) {
	for name, form := range map[string]string{"plain": planted, "quoted": quoted(planted),
		"twice quoted": quoted(quoted(planted)), "thrice": quoted(quoted(quoted(planted))),
		"component": likeCode.Replace(url.QueryEscape(planted)), "form": likeForms.Replace(url.QueryEscape(planted)),
		"second in base64": insideBase64(base64.StdEncoding, 1, planted),
		"third in base64":  insideBase64(base64.StdEncoding, 2, planted),
		"base64 for URLs":  base64.RawURLEncoding.EncodeToString([]byte(planted))[:30],
		"query":            url.QueryEscape(planted), "path": url.PathEscape(planted),
		"base64": base64.StdEncoding.EncodeToString([]byte(planted)),
		"basic":  base64.StdEncoding.EncodeToString([]byte("somebody:" + planted))} {
		if strings.Contains(text, form) {
			found = append(found, name)
		}
	}
	return found
}

// What a run opened is nowhere in what is recorded of it, and later steps have it all the same.
func TestSecretsOfARunAreMasked(t *testing.T) {
	const open = "const fields = c.configVars['Their API'].fields; const s = fields.password; "
	for name, code := range map[string]string{
		"result": `module.exports = async (c) => { ` + open +
			`return {data: {list: [s, 'x' + s + 'y'], [s]: 1, url: fields.baseUrl, pin: fields.pin}} }`,
		"forms": `module.exports = async (c) => { ` + open +
			`return {data: [encodeURIComponent(s), btoa(unescape(encodeURIComponent(s))), Buffer.from(s).toString('base64'), Buffer.from('somebody:' + s).toString('base64'), new URLSearchParams({s}).toString()]} }`,
		"log": `module.exports = async (c) => { ` + open +
			`c.logger.info('it is ' + s); console.log(fields); return {data: 1} }`,
		"error": `module.exports = async (c) => { ` + open + `throw new Error('bad ' + s) }`,
		"binary": `module.exports = async (c) => { ` + open +
			`return {data: {a: Buffer.from(s), b: Buffer.from('x' + s + 'y'), c: Buffer.from('xy' + s), n: 19876541}} }`,
		"type": `module.exports = async (c) => { ` + open + `return {data: 'x', contentType: 'text/' + s} }`,
		"headers": `module.exports = async (c) => { ` + open +
			`return {data: 1, headers: {'X-A': Buffer.from(s).toString('base64')}} }`,
		"text": `module.exports = async (c) => { ` + open +
			`return {data: JSON.stringify({s}), contentType: 'application/json'} }`,
	} {
		h := newHarness(t)
		_, urls := h.connected(flow("Main", "    isSynchronous: true\n", "", codeStep("Give", code)))
		h.start()
		a := h.post(urls["Main"], "", "")
		r := h.ended(a.Header().Get(ExecutionHeader))
		var record strings.Builder
		encoder := json.NewEncoder(&record)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode([]any{r.Steps(), r.Finished, r.Failures(), a.Header(), a.Body.String()}); err != nil {
			t.Fatal(err)
		}
		if found := leaks(record.String()); found != nil {
			t.Errorf("%s: %v in %s", name, found, record.String())
		}
		if a.Code != http.StatusOK && name != "error" {
			t.Errorf("%s: answered %d %s", name, a.Code, a.Body)
		}
		if name == "result" && (!strings.Contains(record.String(), "api.example.com") ||
			!strings.Contains(record.String(), `1234`)) {
			t.Errorf("what is no secret is masked: %s", record.String())
		}
		if warned := strings.Contains(record.String(), "the result holds a secret"); warned != (name == "result" ||
			name == "forms" || name == "text" || name == "binary") {
			t.Errorf("%s: warned %t: %s", name, warned, record.String())
		}
	}
}

// The next step has the value, in the same claim and after a crash.
func TestSecretsAreReadBack(t *testing.T) {
	h := newHarness(t)
	_, urls := h.connected(flow("Main", "", "",
		codeStep("Give", `module.exports = async (c) => ({data: {s: c.configVars['Their API'].fields.password}, executionState: {k: [c.configVars['Their API'].fields.password]}})`)+
			step("hold", "effect", "")+codeStep("Check",
			`module.exports = async (c, {give}) => ({data: give.results.s === c.configVars['Their API'].fields.password && c.executionState.k[0] === give.results.s})`)))
	h.ShutdownTimeout = 1
	h.probe.block["hold"] = make(chan struct{})
	h.start()
	run := h.post(urls["Main"], "", "").Header().Get(ExecutionHeader)
	<-h.probe.began
	h.stop()
	close(h.probe.block["hold"])
	again := h.again()
	again.start()
	r := again.ended(run)
	if got := outputs(t, r)["check"]; got != "true" || r.Claims < 2 || r.CutOff != 0 {
		t.Errorf("the step saw %s, ended %+v after %d claims, %d of them cut off", got, r.Finished, r.Claims, r.CutOff)
	}
	if kept := string(r.Steps()[1].State["k"]); leaks(kept) != nil || !strings.HasPrefix(kept, `["<secret `) {
		t.Errorf("kept %s", kept)
	}
	if given := outputs(t, r)["give"]; leaks(given) != nil || !strings.Contains(given, "<secret Their API.password ") {
		t.Errorf("recorded %s", given)
	}
}

// Nobody outside a run can make a mark that is read back as a secret.
func TestSecretMarks(t *testing.T) {
	h := newHarness(t)
	s, other := h.newSecrets("run"), h.newSecrets("other")
	if s.tag == other.tag {
		t.Fatal("two runs have one tag")
	}
	s.add("Key.k", "abcdef")
	s.add("Key.short", "abc")
	masked, mark := s.mask(json.RawMessage(`["abcdef","abc"]`))
	if string(masked) != `["`+mark+`","abc"]` || string(s.reveal(masked)) != `["abcdef","abc"]` {
		t.Errorf("masked as %s", masked)
	}
	if forged, _ := s.mask(json.RawMessage(`["` + mark + `"]`)); strings.Contains(string(s.reveal(forged)), "abcdef") {
		t.Errorf("a mark that came from outside is read as %s", s.reveal(forged))
	}
}

// What is marked stays the JSON that it was: only text is looked at, and binary data can still be read.
func TestMarkedJSON(t *testing.T) {
	h := newHarness(t)
	s := h.newSecrets("run")
	s.add("Key.pin", "987654")
	s.add("Key.n", "n12345")
	for _, data := range []any{19876541.0, []any{987654.0, "987654", "\"987654"}, map[string]any{"987654": -987654.0},
		"\n12345", `\n12345`, `\"n12345`,
		[]byte("987654"), []byte("x987654y"), map[string]any{"a": []byte("xx987654"), "b": "1987654"}} {
		text, err := value.Encode(data)
		if err != nil {
			t.Fatal(err)
		}
		masked, _ := s.mask(text)
		if _, err := value.Decode(masked); err != nil {
			t.Errorf("%s is masked as %s: %v", text, masked, err)
		}
		if back := s.reveal(masked); string(back) != string(text) {
			t.Errorf("%s is masked as %s, and read back as %s", text, masked, back)
		}
	}
}

// What an instance's runs keep for each other, and pass to each other, is masked in each of them, who have its value
// all the same.
func TestSecretsAmongRuns(t *testing.T) {
	const key = "k3y-of-the-endpoint"
	give := `module.exports = async (c) => { const d = {s: c.configVars['Their API'].fields.password, k: c.webhookApiKeys.Main[0]}; return {data: d, crossFlowState: {d}} }`
	call := act("Call", "cross-flow", "invokeFlow",
		"flowName: {type: value, value: Called}, data: {type: reference, value: give.results}")
	same := `module.exports = async (c, r) => ({data: r.call.results.s === r.give.results.s && r.call.results.k === r.give.results.k && r.give.results.k.length})`
	back := `module.exports = async (c, r) => ({data: r.hook.results.body.data})`
	const synchronous = "    isSynchronous: true\n"
	h := newHarness(t)
	instance, urls := h.connected(flow("Main", synchronous, "", codeStep("Give", give)+call+codeStep("Check", same)),
		flow("Called", synchronous, "", codeStep("Back", back)),
		flow("Load", synchronous, "", act("Load", "persist-data", "getCrossFlowValue",
			"keyInput: {type: value, value: d}")))
	_, flows := h.flows(instance)
	h.withKey(instance, flows["Main"], key)
	h.start()
	if a := h.post(urls["Main"], "", "", "Api-Key", key); a.Body.String() != "19" {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
	if a := h.post(urls["Load"], "", ""); a.Code != http.StatusOK || strings.Contains(a.Body.String(), key) ||
		leaks(a.Body.String()) != nil {
		t.Errorf("answered %d %s", a.Code, a.Body)
	}
	for _, r := range h.accepted() {
		r = h.ended(r.ID)
		record, err := value.JSON([]any{string(r.Queued.Payload.Inline), fmt.Sprint(outputs(t, r))})
		if err != nil {
			t.Fatal(err)
		}
		if leaks(string(record)) != nil || strings.Contains(string(record), key) {
			t.Errorf("%s has left %s", r.Queued.FlowName, record)
		}
	}
}
