package domain

import (
	"time"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// Schedule is a planned publish of a draft, as it was then.
type Schedule struct {
	PublishScheduled
	By string
}

// PublishScheduled plans to publish the draft exactly as it is now.
type PublishScheduled struct {
	Version    string    `json:"version"` // id of the version to be
	At         time.Time `json:"at"`
	Definition string    `json:"definition"` // hash of the content blob
	Note       string    `json:"note,omitempty"`
	Attributes string    `json:"attributes,omitempty"`
}

// Evolve implements [Event].
func (e PublishScheduled) Evolve(d Draft, m Meta) Draft {
	d.Schedule = &Schedule{PublishScheduled: e, By: m.Actor}
	return d
}

// Touches returns nothing: no edit conflicts with it.
func (PublishScheduled) Touches() []string { return nil }

// PublishUnscheduled cancels a scheduled publish.
type PublishUnscheduled struct {
	Reason string `json:"reason,omitempty"`
}

// Evolve implements [Event].
func (PublishUnscheduled) Evolve(d Draft, _ Meta) Draft {
	d.Schedule = nil
	return d
}

// Touches returns nothing: no edit conflicts with it.
func (PublishUnscheduled) Touches() []string { return nil }

// SchedulePublish schedules the draft, exactly as it is, for publishing. A draft that may not be published now
// may not be scheduled.
func (d Draft) SchedulePublish(e PublishScheduled, saved *definition.Part, now time.Time,
	rules Publishing) (Changes[Draft], error) {
	rules.Bypass = ""
	if !e.At.After(now) {
		return nil, refusal.ForField(refusal.Invalid, "at", "%s has passed; give a time to come, or publish now",
			e.At.Format(time.RFC3339))
	}
	if _, err := d.Close(DraftClosed{Version: e.Version, Definition: e.Definition}, saved, rules); err != nil {
		return nil, err
	}
	return Changes[Draft]{e}, nil
}

// UnschedulePublish cancels the scheduled publish; without one it changes nothing.
func (d Draft) UnschedulePublish(reason string) (Changes[Draft], error) {
	if d.Schedule == nil || d.Closed != nil {
		return nil, nil
	}
	return Changes[Draft]{PublishUnscheduled{Reason: reason}}, nil
}
