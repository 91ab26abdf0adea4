package domain

import (
	"strings"
	"testing"
	"time"

	"heddle/domain/definition"
)

// toldOf lists the recipients of the last of some events, each passed as its actor and the event.
func toldOf(causation string, acts ...any) string {
	d := Draft{Authors: []string{"author"}}
	var n Notification
	for i := 0; i < len(acts); i += 2 {
		m := Meta{Actor: acts[i].(string), Causation: causation, Time: time.Unix(1, 0)}
		event := acts[i+1].(Event[Draft])
		before := d.Summarized(d)
		d = event.Evolve(before, m)
		n = NotificationOf(before, d, event, m)
	}
	return strings.Join(n.To, " ")
}

func TestWhoIsTold(t *testing.T) {
	def := &definition.Part{}
	asked := []any{"asker", ReviewRequested{Reviewers: []string{"r1", "r2"}}}
	spoken := append(asked, "guest", ThreadOpened{Thread: "t"}, "other", CommentAdded{Thread: "t"})
	with := func(before []any, acts ...any) []any { return append(append([]any{}, before...), acts...) }
	for name, c := range map[string]struct {
		acts []any
		want string
	}{
		"request":                  {asked, "author r1 r2"},
		"request again, of others": {with(asked, "author", ReviewRequested{Reviewers: []string{"r3"}}), "asker r3"},
		"request by a reviewer":    {[]any{"r1", ReviewRequested{Reviewers: []string{"r1", "r2"}}}, "author r2"},
		"withdrawal":               {with(asked, "author", ReviewWithdrawn{}), "asker r1 r2"},
		"verdict":                  {with(asked, "r1", VerdictGiven{}), "author asker r2"},
		"verdict of one not asked": {with(asked, "x", VerdictGiven{}, "r1", VerdictGiven{}), "author asker r2 x"},
		"verdict withdrawn":        {with(asked, "r1", VerdictGiven{}, "r1", VerdictWithdrawn{}), "author asker r2"},
		"dismissal": {with(asked, "x", VerdictGiven{}, "admin", VerdictDismissed{Reviewer: "x"}),
			"author asker r1 r2 x"},
		"bypass":                   {with(asked, "admin", ReviewBypassed{}), "author asker r1 r2"},
		"bypass without a review":  {[]any{"admin", ReviewBypassed{}}, "author"},
		"comment":                  {with(asked, "r1", ThreadOpened{Thread: "t"}), "author asker r2"},
		"comment without a review": {[]any{"r1", ThreadOpened{Thread: "t"}}, "author"},
		"comment after a withdrawal": {with(asked, "asker", ReviewWithdrawn{}, "r1", ThreadOpened{Thread: "t"}),
			"author"},
		"reply": {with(spoken, "r1", CommentAdded{Thread: "t"}), "author asker r2 guest other"},
		"reply in another thread": {with(spoken, "r1", ThreadOpened{Thread: "u"}, "r2", CommentAdded{Thread: "u"}),
			"author asker r1"},
		"suggestion applied": {with(spoken, "author", SuggestionApplied{Thread: "t"}), "guest asker r1 r2 other"},
		"plan given up":      {[]any{"planner", PublishScheduled{}, "x", PublishUnscheduled{}}, "planner"},
		"own plan given up":  {[]any{"planner", PublishScheduled{}, "planner", PublishUnscheduled{}}, ""},
		"resolved":           {with(spoken, "r1", ThreadResolved{Thread: "t"}), ""},
		"comment edited":     {with(spoken, "guest", CommentEdited{Thread: "t"}), ""},
		"edit":               {with(asked, "x", DraftEdited{}), ""},
		"opened":             {[]any{"x", DraftOpened{Definition: def}}, ""},
	} {
		if got := toldOf("", c.acts...); got != c.want {
			t.Errorf("%s: told %q, want %q", name, got, c.want)
		}
	}
	if got := toldOf(ScheduleCausation, "planner", PublishScheduled{}, "planner",
		PublishUnscheduled{}); got != "planner" {
		t.Errorf("a plan that the clock gave up is told to %q", got)
	}
}
