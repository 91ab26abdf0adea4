package main

import "testing"

// endlessDefinition has code in which the engine can't be interrupted.
const endlessDefinition = `definitionVersion: 7
name: Endless
flows:
  - name: Main
    steps:
      - {name: Trigger, isTrigger: true, action: {key: webhook, component: {key: webhook-triggers, version: LATEST, isPublic: true}}}
      - name: Begin
        action: {key: httpPost, component: {key: http, version: LATEST, isPublic: true}}
        inputs: {url: {type: reference, value: trigger.results.body.data.url}}
      - name: Never
        action: {key: runCode, component: {key: code, version: LATEST, isPublic: true}}
        inputs: {code: {type: value, value: 'module.exports = async () => [].indexOf.call({length: 2 ** 53 - 1}, 1)'}}
`

// Whatever runs, a server stops when it is asked to, and the run does not go on for ever in the next ones.
func TestStopsWhateverRuns(t *testing.T) {
	h := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1", "HEDDLE_SCRIPT_TIME=2s")
	h.start()
	service := newHook()
	defer service.Close()
	run := h.trigger(h.deploy(endlessDefinition), `{"url":"`+service.URL+`"}`)
	_, err := service.got(1)
	h.must(err)
	h.must(h.stop())
	h.start()
	result := h.ended(run)
	if why, _ := at(result, "error").(string); at(result, "resultType") != "ERROR" || why == "" {
		t.Errorf("the run ended with %v", result)
	}
	h.must(h.stop())
}
