package worker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/worker/cron"
)

// timed is a flow that starts by itself.
func timed(name, component, trigger, more string) string {
	return "  - name: " + name + "\n    steps:\n      - name: Start\n        isTrigger: true\n        action: {component: {key: " + component +
		", isPublic: true, version: LATEST}, key: " + trigger + "}\n" + more
}

func cronFlow(name, cron, kind, zone string) string {
	return timed(name, "schedule-triggers", "schedule",
		fmt.Sprintf("        schedule: {type: value, value: '%s', meta: {scheduleType: %s, timeZone: '%s'}}\n", cron,
			kind, zone))
}

// scheduler makes what Run makes, without a clock of its own.
func (h *harness) scheduler() *scheduler {
	h.t.Helper()
	for _, ready := range []<-chan struct{}{h.View.CaughtUp(), h.Runs.CaughtUp()} {
		<-ready
	}
	return newScheduler(h.Worker)
}

// started lists what runs were started, as flow names, in order.
func (h *harness) started() string {
	h.t.Helper()
	var flows []string
	for _, run := range h.accepted() {
		flows = append(flows, run.Queued.FlowName+" "+string(run.Queued.Invoke))
	}
	slices.Sort(flows)
	return strings.Join(flows, ", ")
}

func TestSchedulerTicks(t *testing.T) {
	h := newHarness(t)
	instance, urls := h.deploy(integrationOf(cronFlow("Often", "*/5 * * * *", "minute", ""),
		cronFlow("Never", "", "none", ""), cronFlow("Bad", "61 * * * *", "custom", ""),
		flow("Hook", "", "", "")))
	h.queueOnly(urls["Hook"]) // makes the queue
	state, _ := h.View.Instances.Find(instance)
	deployed := state.DeployedAt
	due := deployed.Truncate(5 * time.Minute).Add(5 * time.Minute)
	a, b := h.scheduler(), h.again().scheduler()
	b.w.use(a.w.queue, maxQueuedEmbedded)
	for _, c := range []*scheduler{a, b} { // two processes, each with its look at the same clock
		if !c.refresh(h.ctx, deployed) {
			t.Fatal("the timetables could not be made")
		}
	}
	for i := range 3 {
		for _, c := range []*scheduler{a, b, a} {
			c.fire(h.ctx, due.Add(time.Duration(i)*5*time.Minute))
			c.fire(h.ctx, due.Add(time.Duration(i)*5*time.Minute+time.Second))
		}
	}
	if got := h.started(); got != "Hook WEBHOOK, Often SCHEDULED, Often SCHEDULED, Often SCHEDULED" {
		t.Errorf("started %s", got)
	}
}

// Of the times that were missed the newest is made up, unless it is too old or before the deploy.
func TestFirstDue(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 7, 30, 0, time.UTC)
	first := &scheduler{w: &Worker{Options: DefaultOptions()}}
	later := &scheduler{w: first.w, looked: now.Add(-time.Minute)}
	at := func(clock string) time.Time {
		d, err := time.Parse("15:04:05", clock)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 5, 1, d.Hour(), d.Minute(), d.Second(), 0, time.UTC)
	}
	for name, c := range map[string]struct {
		cron           string
		deployed, want time.Time
		*scheduler
	}{
		"the newest of many":    {"*/5 * * * *", at("01:00:00"), at("12:05:00"), first},
		"deployed since":        {"*/5 * * * *", at("12:06:00"), at("12:10:00"), first},
		"deployed before one":   {"*/5 * * * *", at("12:04:59"), at("12:05:00"), first},
		"older than an hour":    {"0 11 * * *", at("01:00:00"), at("11:00:00").AddDate(0, 0, 1), first},
		"within the hour":       {"30 11 * * *", at("01:00:00"), at("11:30:00"), first},
		"now":                   {"7 12 * * *", at("01:00:00"), at("12:07:00"), first},
		"never":                 {"0 0 30 2 *", at("01:00:00"), time.Time{}, first},
		"the first comes later": {"0 13 * * *", at("12:06:00"), at("13:00:00"), first},
		"changed while it runs": {"*/5 * * * *", at("01:00:00"), at("12:10:00"), later},
		"deployed a moment ago": {"7 12 * * *", at("12:06:59"), at("12:07:00"), later},
	} {
		s, err := cron.Parse(c.cron, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := firstDue(s, c.missedSince(domain.Instance{DeployedAt: c.deployed}, now), now); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Deploy flows run after each deploy and once-schedules a single time, whatever is started again.
func TestSchedulerDeploys(t *testing.T) {
	h := newHarness(t)
	instance, _ := h.deploy(integrationOf(timed("Set up", "management-triggers", "instanceDeploy", ""),
		timed("Tear down", "management-triggers", "instanceRemove", ""),
		cronFlow("First", "", "once", "")))
	h.start()
	for _, want := range []string{"First SCHEDULED, Set up DEPLOY_FLOW",
		"First SCHEDULED, Set up DEPLOY_FLOW, Set up DEPLOY_FLOW"} {
		for deadline := time.Now().Add(10 * time.Second); h.started() != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("started %s, want %s", h.started(), want)
			}
		}
		h.stop()
		state, _ := h.View.Instances.Find(instance)
		if err := h.View.Wait(h.ctx, changeAll(h, domain.Instances, instance,
			domain.InstanceDeployed{Version: state.Deployed})); err != nil {
			t.Fatal(err)
		}
		h.start()
	}
}

// Whether a deploy starts a flow may be a config variable's to say, as it was when the deploy was made.
func TestRunOnDeploy(t *testing.T) {
	h := newHarness(t)
	variable := &definition.Part{ID: "v", Fields: map[string]any{"key": "Begin", "dataType": "boolean",
		"defaultValue": "false"}}
	deployed := domain.Instance{}
	set := func(value string, later bool) domain.Instance {
		return domain.Instance{Config: map[string]domain.ConfigValue{"v": {Variable: "v", Value: value}},
			NeedsDeploy: later}
	}
	trigger, err := h.Components.LookupTrigger("recursive-flow", "recursiveTrigger")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		input    any
		instance domain.Instance
		want     bool
		code     refusal.Code
	}{
		"not there":               {nil, deployed, false, ""},
		"empty":                   {typed("value", ""), deployed, false, ""},
		"text":                    {typed("value", "true"), set("", true), true, ""},
		"a boolean":               {typed("value", true), deployed, true, ""},
		"any case":                {typed("value", "Yes"), deployed, true, ""},
		"no":                      {typed("value", "false"), deployed, false, ""},
		"neither":                 {typed("value", "perhaps"), deployed, false, refusal.Invalid},
		"a variable's default":    {typed("configVar", "Begin"), deployed, false, ""},
		"a variable":              {typed("configVar", "Begin"), set("true", false), true, ""},
		"a variable since":        {typed("configVar", "Begin"), set("true", true), false, ""},
		"a template":              {typed("template", "{{#Begin}}"), set("true", false), true, ""},
		"no such variable":        {typed("configVar", "Other"), deployed, false, ""},
		"an input of no kind":     {typed("magic", "true"), deployed, false, refusal.Invalid},
		"what only a run can say": {typed("reference", "start.results.go"), deployed, false, ""},
	} {
		p := startPlan{variables: []*definition.Part{variable}}
		got, err := p.deploys(plannedStart{trigger: trigger, onDeploy: c.input}, c.instance)
		if got != c.want || refusal.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestTimesOf(t *testing.T) {
	variable := &definition.Part{ID: "v", Fields: map[string]any{"key": "When", "defaultValue": "0 1 * * *",
		"scheduleType": "day", "timeZone": "Europe/Berlin"}}
	set := func(value string) domain.Instance {
		return domain.Instance{Config: map[string]domain.ConfigValue{"v": {Variable: "v", Value: value}}}
	}
	value := func(cron, kind, zone string) map[string]any {
		return map[string]any{"type": "value", "value": cron,
			"meta": map[string]any{"scheduleType": kind, "timeZone": zone}}
	}
	fromVariable := map[string]any{"type": "configVar", "value": "When",
		"meta": map[string]any{"scheduleType": "custom"}}
	from := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		schedule map[string]any
		variable *definition.Part
		instance domain.Instance
		want     string
	}{
		"cron": {value("00 00 */1 * *", "day", ""), nil, domain.Instance{}, "2026-01-02T00:00:00Z"},
		"cron in a zone": {value("0 9 * * *", "custom", "America/New_York"), nil, domain.Instance{},
			"2026-01-01T14:00:00Z"},
		"none":                 {value("", "none", ""), nil, domain.Instance{}, "none"},
		"empty":                {value("", "custom", ""), nil, domain.Instance{}, "none"},
		"once":                 {value("", "once", ""), nil, domain.Instance{}, "once"},
		"bad":                  {value("x", "custom", ""), nil, domain.Instance{}, "INVALID"},
		"a variable's default": {fromVariable, variable, domain.Instance{}, "2026-01-02T00:00:00Z"},
		"a variable":           {fromVariable, variable, set("30 12 * * *"), "2026-01-02T11:30:00Z"},
		"a variable's object": {fromVariable, variable,
			set(`{"value": "30 12 * * *", "schedule_type": "custom", "time_zone": "Asia/Kolkata"}`),
			"2026-01-02T07:00:00Z"},
		"a variable with once": {fromVariable, variable, set(`{"value": "", "schedule_type": "once"}`), "once"},
		"no such variable":     {fromVariable, nil, domain.Instance{}, "INVALID"},
	} {
		s, once, none, err := plannedStart{schedule: c.schedule, variable: c.variable}.timesOf(c.instance)
		got := string(refusal.CodeOf(err))
		switch {
		case err != nil:
		case once:
			got = "once"
		case none:
			got = "none"
		default:
			got = s.Next(from).UTC().Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, c.want)
		}
	}
}

// Of many ticks that nothing was started for, such as while a machine slept, one is made up.
func TestSchedulerMakesUpOne(t *testing.T) {
	h := newHarness(t)
	if err := h.Worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.queue.Close)
	instance, _ := h.deploy(integrationOf(cronFlow("Often", "*/5 * * * *", "minute", "")))
	c := h.scheduler()
	c.refresh(h.ctx, time.Now())
	tick := c.instances[instance].ticks[0]
	now := tick.due.Add(31 * time.Minute)
	for range 10 {
		c.fire(h.ctx, now)
	}
	if got := h.started(); got != "Often SCHEDULED" || !tick.due.After(now) {
		t.Errorf("started %s, next at %v", got, tick.due)
	}
	h.redeploy(instance, integrationOf(cronFlow("Often", "*/6 * * * *", "minute", "")))
	c.refresh(h.ctx, time.Now())
	if len(c.plans) != 1 {
		t.Errorf("%d plans are kept for one version", len(c.plans))
	}
}

func typed(kind string, value any) map[string]any {
	return map[string]any{"type": kind, "value": value}
}
