package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The secrets of the canary test: each is found wherever it ends up.
const (
	canaryToken      = "canary-of-the-administrators-token"
	canaryMaster     = "canary-of-the-master-key-32bytes"
	canaryConnection = "canary-of-a-connection-secret"
	canaryEndpoint   = "canary-of-an-endpoints-key"
	canaryPath       = "canary-of-a-webhooks-path"
	canaryQuery      = "canary-of-a-webhooks-query"
	canarySigning    = "canary-that-notices-are-signed-with"
	canaryMail       = "canary-of-the-mail-servers-password"
)

// TestCanary looks for secrets where none may be: in what a server writes at its most talkative, and
// in the files that it leaves.
func TestCanary(t *testing.T) {
	master := base64.StdEncoding.EncodeToString([]byte(canaryMaster))
	signing := base64.StdEncoding.EncodeToString([]byte(canarySigning))
	told := newReceivers(t)
	h := newHarness(t, "HEDDLE_MASTER_KEY="+master, "HEDDLE_LOG_LEVEL=debug", "HEDDLE_ALLOW_HOSTS=127.0.0.1",
		"HEDDLE_NOTICE_WEBHOOK="+told.webhook+"/"+canaryPath+"?key="+canaryQuery, "HEDDLE_NOTICE_SECRET=whsec_"+signing,
		"HEDDLE_SMTP=smtp://heddle:"+canaryMail+"@"+told.mail, "HEDDLE_MAIL_FROM=heddle@example.com")
	h.token = canaryToken
	h.start()
	h.reviewed()
	heard := h.busy()
	h.must(until("the failure of both ways to send a notice", func() bool {
		return strings.Count(h.stderr.String(), "sending a notice failed") > 1 && strings.Contains(told.heard(),
			canaryPath) && strings.Contains(told.heard(), "AUTH")
	}))
	h.must(h.stop())
	wrote, login := h.stderr.String()+h.printed(),
		base64.StdEncoding.EncodeToString([]byte("\x00heddle\x00"+canaryMail))
	if !strings.Contains(wrote, `"ready"`) || !strings.Contains(heard, canaryConnection) ||
		!strings.Contains(told.heard(), canaryQuery) || !strings.Contains(told.heard(), login) {
		t.Fatal("the test is blind")
	}
	config, err := command(h.dir, h.env, "--print-config").CombinedOutput()
	h.must(err)
	if wrote += string(config); !strings.Contains(wrote, "notice-webhook: "+told.webhook+"/") {
		t.Errorf("the configuration is printed as %s", config)
	}
	for _, secret := range []string{canaryToken, canaryMaster, master, canaryConnection, canaryEndpoint, canaryPath,
		canaryQuery, canarySigning, signing, canaryMail, login} {
		if strings.Contains(wrote, secret) {
			t.Errorf("%q is in what the server wrote", secret)
		}
		h.absent(secret)
	}
}

// absent looks for a secret in all files of the data folder.
func (h *harness) absent(secret string) {
	h.Helper()
	h.must(filepath.WalkDir(filepath.Join(h.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			h.Errorf("%q is in %s", secret, path)
		}
		return err
	}))
}

// receivers take no notices, by webhook or mail, and note what they are told.
type receivers struct {
	webhook, mail string
	mu            sync.Mutex
	text          strings.Builder
}

func newReceivers(t *testing.T) *receivers {
	r := &receivers{}
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		r.note(q.URL.String())
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(web.Close)
	post, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = post.Close() })
	go func() {
		for c, err := post.Accept(); err == nil; c, err = post.Accept() {
			go r.refuseMail(c)
		}
	}()
	r.webhook, r.mail = web.URL, post.Addr().String()
	return r
}

func (r *receivers) refuseMail(c net.Conn) {
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "220 test\r\n")
	for lines := bufio.NewScanner(c); lines.Scan(); {
		r.note(lines.Text())
		answer := "535 no"
		if strings.HasPrefix(lines.Text(), "EHLO") {
			answer = "250-test\r\n250 AUTH PLAIN"
		}
		if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
			return
		}
	}
}

func (r *receivers) note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.WriteString(line + "\n")
}

func (r *receivers) heard() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// connectionDefinition has a flow that authenticates with a connection at the URL that its call names.
const connectionDefinition = `definitionVersion: 7
name: Connected
requiredConfigVars:
  - key: Service
    stableKey: service
    connection: {key: apiKey, component: {key: http, version: LATEST, isPublic: true}}
    inputs: {}
flows:
  - name: Call
    steps:
      - {name: Trigger, isTrigger: true, action: {key: webhook, component: {key: webhook-triggers, version: LATEST, isPublic: true}}}
      - name: Send
        action: {key: httpPost, component: {key: http, version: LATEST, isPublic: true}}
        inputs:
          url: {type: reference, value: trigger.results.body.data.url}
          data: {type: value, value: hello}
          connection: {type: configVar, value: Service}
          debugRequest: {type: value, value: 'true'}
  - name: Tell
    isSynchronous: true
    endpointSecurityType: customer_required
    steps:
      - {name: Trigger, isTrigger: true, action: {key: webhook, component: {key: webhook-triggers, version: LATEST, isPublic: true}}}
      - name: Fail
        errorConfig: {errorHandlerType: ignore}
        action: {key: runCode, component: {key: code, version: LATEST, isPublic: true}}
        inputs: {code: {type: value, value: 'module.exports = async (c) => { throw new Error(JSON.stringify(c)) }'}}
      - name: Write
        action: {key: writeLog, component: {key: log, version: LATEST, isPublic: true}}
        inputs: {message: {type: template, value: 'It is {{#Service}} of {{$trigger.results}}'}}
      - name: Give
        action: {key: runCode, component: {key: code, version: LATEST, isPublic: true}}
        inputs:
          code: {type: value, value: 'module.exports = async (c, steps) => { c.logger.info(c, steps); return { data: { seen: [c.configVars.Service.fields.apiKey.length, c.webhookApiKeys.Tell.length], c, steps } } }'}
`

// reviewed has somebody told of a review.
func (h *harness) reviewed() {
	h.Helper()
	reviewer := at(h.call(`mutation { createOrganizationUser(input: {email: "reviewer@example.com", role: "ADMIN"}) { user { id } errors { field messages } } }`, nil), "createOrganizationUser.user.id")
	integration := at(h.call(`mutation($d: String!) { importIntegration(input: {definition: $d}) { integration { id } errors { field messages } } }`,
		map[string]any{"d": strings.Replace(connectionDefinition, "Connected", "Reviewed",
			1)}), "importIntegration.integration.id")
	h.call(`mutation($i: ID!, $r: ID!) { requestReview(input: {id: $i, reviewers: [$r]}) { errors { field messages } } }`, map[string]any{"i": integration, "r": reviewer})
}

// busy has a run that succeeds with the connection's secret, one that fails and requests that are
// refused, and gives what the called server heard.
func (h *harness) busy() (authorization string) {
	h.Helper()
	service := newHook()
	defer service.Close()
	values, err := json.Marshal([]map[string]string{{"name": "apiKey", "type": "value", "value": canaryConnection}})
	h.must(err)
	token := map[string]any{"key": "Service", "values": string(values)}
	trigger := h.deploy(connectionDefinition, token)
	h.telling()
	for url, want := range map[string]string{service.URL: "COMPLETED", service.URL + "/fail": "ERROR",
		"http://192.168.255.1": "ERROR"} {
		if result := h.ended(h.trigger(trigger, `{"url":"`+url+`"}`)); at(result, "resultType") != want {
			h.Errorf("the run ended with %v", result)
		}
	}
	heard, err := service.got(1)
	h.must(err)
	for _, header := range []http.Header{{"Authorization": {"Bearer " + canaryToken + "x"}},
		{"Authorization": {"Bearer " + canaryToken}}} {
		header.Set("Content-Type", "application/json")
		for _, body := range []string{`{"query":"{ customer(id: \"none\") { id } }"}`, `{"query":"` + canaryConnection +
			`"}`, canaryConnection} {
			_, _, text, err := send(http.MethodPost, h.url+"/api", header, []byte(body))
			h.must(err)
			if bytes.Contains(text, []byte(canaryToken)) {
				h.Errorf("the answer holds the token: %s", text)
			}
		}
	}
	return heard[0].authorization
}

// telling has a run tell all that it knows, wherever it can, and looks into what the API and the caller hear of it.
func (h *harness) telling() {
	h.Helper()
	configs := h.call(`{ instances { nodes { id flowConfigs { nodes { flow { id name } webhookUrl } } } } }`, nil)
	for i := 0; at(configs, fmt.Sprint("instances.nodes.", i)) != nil; i++ {
		instance := at(configs, fmt.Sprint("instances.nodes.", i))
		flow := at(instance, "flowConfigs.nodes.1")
		if at(flow, "flow.name") != "Tell" {
			continue
		}
		h.call(`mutation($i: ID!, $f: ID!, $k: String!) { updateInstance(input: {id: $i, flowConfigs: [{flowId: $f, apiKeys: [$k]}]}) { instance { id } errors { field messages } } }`,
			map[string]any{"i": at(instance, "id"), "f": at(flow, "flow.id"), "k": canaryEndpoint})
		status, header, answer, err := send(http.MethodPost, at(flow, "webhookUrl").(string),
			http.Header{"Api-Key": {canaryEndpoint}}, nil)
		h.must(err)
		if status != http.StatusOK || !bytes.Contains(answer,
			fmt.Appendf(nil, `"seen":[%d,1]`, len(canaryConnection))) {
			h.Fatalf("answered %d %s", status, answer)
		}
		told, err := json.Marshal(h.call(`query($id: ID!) { executionResult(id: $id) { error stepResults { nodes { error result } } logs { nodes { message } } } }`,
			map[string]any{"id": header.Get("prismatic-executionid")}))
		h.must(err)
		for _, secret := range []string{canaryConnection, canaryEndpoint} {
			if bytes.Contains(told, []byte(secret)) || bytes.Contains(answer, []byte(secret)) {
				h.Errorf("%q is in %s or in %s", secret, told, answer)
			}
		}
	}
}
