package worker

import (
	"context"
	"maps"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"heddle/component"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/worker/cron"
)

// scheduler starts the runs that nobody asks for: at the times of schedules, and after deploys. Every process with
// workers has one, and they need not know of each other: the id of a run is derived from its flow and the tick or
// deploy, and the log takes it once.
type scheduler struct {
	w         *Worker
	plans     map[string]startPlan // by version
	instances map[string]*timetable
	looked    time.Time // when all timetables were made last; what changes after that was not missed
}

// timetable lists the runs to start for an instance.
type timetable struct {
	of        domain.Instance // as it was when this was made
	variables []string        // ids of the config variables that it rests on
	ticks     []*ticker
	begins    []pending
}

// ticker is a flow with a schedule.
type ticker struct {
	flow string
	cron.Schedule
	due time.Time // zero for never again
}

// pending is a flow to start a single time.
type pending struct {
	flow   string
	run    string
	invoke domain.InvokeType
}

// clockStep is how late a tick may be because nobody looked at the clock.
const clockStep = time.Second

func newScheduler(w *Worker) *scheduler {
	return &scheduler{w: w, plans: map[string]startPlan{}, instances: map[string]*timetable{}}
}

// run starts runs until ctx ends.
func (c *scheduler) run(ctx context.Context) error {
	for _, ready := range []<-chan struct{}{c.w.View.CaughtUp(), c.w.Runs.CaughtUp()} {
		select {
		case <-ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	changed, stop := c.w.View.Watch()
	defer stop()
	clock := time.NewTicker(clockStep)
	defer clock.Stop()
	look := true
	for {
		select { // at most once for each step of the clock, however much is edited
		case <-changed:
			look = true
		default:
		}
		if look {
			look = !c.refresh(ctx, time.Now())
		}
		c.fire(ctx, time.Now())
		select {
		case <-clock.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refresh makes the timetables of instances that have changed. It reports whether all could be made.
func (c *scheduler) refresh(ctx context.Context, now time.Time) bool {
	all := true
	seen := map[string]bool{}
	for instance := range c.w.View.Instances.All() {
		if instance.System || !starts(instance) {
			continue
		}
		seen[instance.ID] = true
		known := c.instances[instance.ID]
		if known != nil && known.holds(instance) {
			continue
		}
		t, err := c.timetable(ctx, instance, now)
		if err != nil {
			c.w.Logger.Warn("reading what an instance is to be started for failed; trying again", "instance",
				instance.ID, "error", err)
			all = false
			continue
		}
		c.instances[instance.ID] = t
	}
	deployed := map[string]bool{}
	for id, t := range c.instances {
		if !seen[id] {
			delete(c.instances, id)
			continue
		}
		deployed[t.of.Deployed] = true
	}
	maps.DeleteFunc(c.plans, func(version string, _ startPlan) bool { return !deployed[version] })
	return all
}

// starts reports whether an instance may start runs: one that was removed does so a last time.
func starts(instance domain.Instance) bool {
	_, runs := instance.Runs()
	return runs || !instance.RemovedAt.IsZero() && !instance.DeployedAt.IsZero()
}

// holds reports whether the timetable still fits the instance.
func (t *timetable) holds(instance domain.Instance) bool {
	for _, v := range t.variables {
		if t.of.Config[v].Value != instance.Config[v].Value {
			return false
		}
	}
	return t.of.RemovedAt.Equal(instance.RemovedAt) && t.of.Deployed == instance.Deployed &&
		t.of.DeployedAt.Equal(instance.DeployedAt)
}

func (c *scheduler) timetable(ctx context.Context, instance domain.Instance, now time.Time) (*timetable, error) {
	t := &timetable{of: instance}
	integration, ok := c.w.View.Integrations.Get(instance.Organization, instance.Integration)
	if !ok {
		return t, nil
	}
	p, err := c.plan(ctx, integration, instance.Deployed)
	if err != nil {
		return nil, err
	}
	for _, f := range p.flows {
		if !instance.RemovedAt.IsZero() {
			if f.trigger.Start == component.StartRemove {
				t.begins = append(t.begins, pending{f.flow, domain.DeriveID("remove", instance.ID, f.flow),
					domain.InvokedByRemoval})
			}
			continue
		}
		deploys, err := p.deploys(f, instance)
		if err != nil {
			c.w.Logger.Warn("whether a deploy starts a flow is unclear; it does not", "instance", instance.ID, "flow",
				f.flow, "error", err)
		}
		if deploys {
			t.begins = append(t.begins, pending{f.flow, domain.DeriveID("deploy", instance.ID, f.flow,
				instance.DeployedAt.Format(time.RFC3339Nano)), domain.InvokedByDeploy})
		}
		if f.schedule == nil {
			continue
		}
		if f.variable != nil {
			t.variables = append(t.variables, f.variable.ID)
		}
		s, once, none, err := f.timesOf(instance)
		switch {
		case err != nil:
			c.w.Logger.Warn("a flow's schedule is left out", "instance", instance.ID, "flow", f.flow, "error", err)
		case none:
		case once:
			t.begins = append(t.begins, pending{f.flow, domain.DeriveID("once", instance.ID, f.flow),
				domain.InvokedBySchedule})
		default:
			t.ticks = append(t.ticks, &ticker{flow: f.flow, Schedule: s,
				due: firstDue(s, c.missedSince(instance, now), now)})
		}
	}
	return t, nil
}

// missedSince returns the time since which ticks may have been missed: the deploy, the last look or, at the first
// look, MissedTicks ago, since no worker may have run.
func (c *scheduler) missedSince(instance domain.Instance, now time.Time) time.Time {
	from := c.looked
	if from.IsZero() {
		from = now.Add(-c.w.MissedTicks)
	}
	if instance.DeployedAt.After(from) {
		return instance.DeployedAt
	}
	return from
}

// firstDue returns the newest due time between from and now, or else the next one: of many missed ticks one is made
// up.
func firstDue(s cron.Schedule, from, now time.Time) time.Time {
	due := s.Next(from)
	for !due.IsZero() {
		next := s.Next(due)
		if next.IsZero() || next.After(now) {
			break
		}
		due = next
	}
	return due
}

// fire starts the runs that are due. A run that could not be started stays due.
func (c *scheduler) fire(ctx context.Context, now time.Time) {
	for _, t := range c.instances {
		for len(t.begins) > 0 && ctx.Err() == nil {
			b := t.begins[0]
			if err := c.launch(ctx, t, b, ""); err != nil {
				c.w.Logger.Warn("starting a flow failed; trying again", "instance", t.of.ID, "flow",
					b.flow, "error", err)
				break
			}
			t.begins = t.begins[1:]
		}
		for _, tick := range t.ticks {
			if tick.due.IsZero() || tick.due.After(now) || ctx.Err() != nil {
				continue
			}
			from := tick.due.Add(-time.Second)
			if oldest := now.Add(-c.w.MissedTicks); oldest.After(from) {
				from = oldest
			}
			if tick.due = firstDue(tick.Schedule, from, now); tick.due.IsZero() || tick.due.After(now) {
				continue // it is too late for what was missed, such as while the machine slept
			}
			at := tick.due.UTC().Format(time.RFC3339)
			run := pending{tick.flow, domain.DeriveID("tick", t.of.ID, tick.flow, at), domain.InvokedBySchedule}
			if err := c.launch(ctx, t, run, at); err != nil {
				c.w.Logger.Warn("starting a scheduled flow failed; trying again", "instance", t.of.ID, "flow",
					tick.flow, "error", err)
				continue
			}
			tick.due = tick.Next(tick.due)
		}
	}
}

// launch starts a run unless any process started it before, even if its history has been removed since.
func (c *scheduler) launch(ctx context.Context, t *timetable, b pending, scheduled string) error {
	organization := t.of.Organization
	if _, known, err := c.w.Runs.Execution(ctx, organization, b.run); err != nil || known {
		return err
	}
	instance, _ := c.w.View.Instances.Get(organization, t.of.ID)
	if !starts(instance) || !t.holds(instance) {
		return nil // the instance has changed; the next look makes another timetable
	}
	to, err := c.w.deployedFlow(ctx, instance, b.flow)
	if err == nil {
		delivery := &component.Delivery{Headers: map[string]any{}, QueryParameters: map[string]any{},
			ScheduledAt: scheduled}
		ctx, span := c.w.begin(ctx, "schedule", trace.SpanKindInternal, attribute.String("heddle.execution", b.run),
			attribute.String("heddle.instance", t.of.ID))
		_, err = c.w.accept(c.w.as(ctx, organization, b.run),
			start{target: to, run: b.run, delivery: delivery, invoke: b.invoke})
		endSpan(span, err)
	}
	if refusal.CodeOf(err) == refusal.NotFound {
		return nil
	}
	return err
}
