package worker

import (
	"strings"
	"testing"
	"time"

	"heddle/domain"
)

// endlessScript is code that the engine does not let be interrupted, though it ends at last: a second or two.
const endlessScript = "[].indexOf.call({length: 5e7}, 1)"

// A run whose scripts can't be stopped ends, whatever is to be done with errors of its steps; so does a server.
func TestRunGivenUp(t *testing.T) {
	if underRace {
		t.Skip("says nothing about races, and the times are not those of real runs")
	}
	h := newHarness(t)
	h.Options.Script.Time, h.Options.Script.Grace = 300*time.Millisecond, 50*time.Millisecond
	_, urls := h.deploy(integrationOf(flow("Main", "", "", codeStep("Bad", "module.exports = async () => "+
		endlessScript)+"        errorConfig: {errorHandlerType: ignore}\n"+
		codeStep("Worse", "module.exports = async () => "+endlessScript)+
		"        errorConfig: {errorHandlerType: ignore}\n"+step("last", "call", ""))))
	h.start()
	r := h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
	if r.Finished.Result != domain.Failed || !strings.Contains(r.Finished.Error, "could not be stopped") ||
		h.probe.count("last") != 0 || paths(r) != "hook bad" {
		t.Errorf("ended %+v after %s", r.Finished, paths(r))
	}
	h.scripts.Lost.Add(int64(h.Concurrency))
	r = h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
	if !strings.Contains(r.Steps()[1].Error, "to be started again") {
		t.Errorf("with all slots lost the step gives %+v", r.Steps()[1])
	}
	h.scripts.Lost.Add(-int64(h.Concurrency))
	for h.scripts.Lost.Load() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}
