package domain

import (
	"time"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// Schedule is when a draft is to be published, as it was then.
type Schedule struct {
	PublishScheduled
	By string
}

// PublishScheduled plans to publish just what the draft is now.
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

// Touches names nothing that edits do.
func (PublishScheduled) Touches() []string { return nil }

// PublishUnscheduled gives the plan up.
type PublishUnscheduled struct {
	Reason string `json:"reason,omitempty"`
}

// Evolve implements [Event].
func (PublishUnscheduled) Evolve(d Draft, _ Meta) Draft {
	d.Schedule = nil
	return d
}

// Touches names nothing that edits do.
func (PublishUnscheduled) Touches() []string { return nil }

// SchedulePublish has the draft published later, just as it is. What may not be published now may not be scheduled.
func (d Draft) SchedulePublish(e PublishScheduled, saved *definition.Part, now time.Time, rules Publishing) (Changes[Draft], error) {
	rules.Bypass = ""
	if !e.At.After(now) {
		return nil, refusal.ForField(refusal.Invalid, "at", "%s has passed; give a time to come, or publish now", e.At.Format(time.RFC3339))
	}
	if _, err := d.Close(DraftClosed{Version: e.Version, Definition: e.Definition}, saved, rules); err != nil {
		return nil, err
	}
	return Changes[Draft]{e}, nil
}

// UnschedulePublish gives the plan to publish up; without one there is nothing to do.
func (d Draft) UnschedulePublish(reason string) (Changes[Draft], error) {
	if d.Schedule == nil || d.Closed != nil {
		return nil, nil
	}
	return Changes[Draft]{PublishUnscheduled{Reason: reason}}, nil
}
