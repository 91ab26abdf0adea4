package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The secrets of the canary test: each is found wherever it ends up.
const (
	canaryToken      = "canary-of-the-administrators-token"
	canaryMaster     = "canary-of-the-master-key-32bytes"
	canaryConnection = "canary-of-a-connection-secret"
)

// TestCanary looks for secrets where none may be: in what a server writes at its most talkative, and
// in the files that it leaves.
func TestCanary(t *testing.T) {
	master := base64.StdEncoding.EncodeToString([]byte(canaryMaster))
	h := newHouse(t, "HEDDLE_MASTER_KEY="+master, "HEDDLE_LOG_LEVEL=debug", "HEDDLE_ALLOW_HOSTS=127.0.0.1")
	h.token = canaryToken
	h.start()
	heard := h.busy()
	h.must(h.stop())
	wrote := h.stderr.String() + h.printed()
	if !strings.Contains(wrote, `"ready"`) || !strings.Contains(heard, canaryConnection) {
		t.Fatal("the test is blind")
	}
	for _, secret := range []string{canaryToken, canaryMaster, master, canaryConnection} {
		if strings.Contains(wrote, secret) {
			t.Errorf("%q is in what the server wrote", secret)
		}
		h.absent(secret)
	}
}

// absent looks for a secret in all files of the data folder.
func (h *house) absent(secret string) {
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
`

// busy has a run that succeeds with the connection's secret, one that fails and requests that are
// refused, and gives what the called server heard.
func (h *house) busy() (authorization string) {
	h.Helper()
	service := newHook()
	defer service.Close()
	values, err := json.Marshal([]map[string]string{{"name": "apiKey", "type": "value", "value": canaryConnection}})
	h.must(err)
	token := map[string]any{"key": "Service", "values": string(values)}
	trigger := h.deploy(connectionDefinition, token)
	for url, want := range map[string]string{service.URL: "COMPLETED", service.URL + "/fail": "ERROR", "http://192.168.255.1": "ERROR"} {
		if result := h.ended(h.trigger(trigger, `{"url":"`+url+`"}`)); at(result, "resultType") != want {
			h.Errorf("the run ended with %v", result)
		}
	}
	heard, err := service.got(1)
	h.must(err)
	for _, header := range []http.Header{{"Authorization": {"Bearer " + canaryToken + "x"}}, {"Authorization": {"Bearer " + canaryToken}}} {
		header.Set("Content-Type", "application/json")
		for _, body := range []string{`{"query":"{ customer(id: \"none\") { id } }"}`, `{"query":"` + canaryConnection + `"}`, canaryConnection} {
			_, _, text, err := send(http.MethodPost, h.url+"/api", header, []byte(body))
			h.must(err)
			if bytes.Contains(text, []byte(canaryToken)) {
				h.Errorf("the answer holds the token: %s", text)
			}
		}
	}
	return heard[0].authorization
}
