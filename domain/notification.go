package domain

import "slices"

// Notification is the news of a draft's event for people.
type Notification struct {
	To       []string // users, each once; never the actor
	Thread   string   // thread of the event, if any
	Approves *bool    // of a verdict
	Text     string   // the actor's words
}

// ScheduleCausation is the causation of events that the scheduler makes in a user's name.
const ScheduleCausation = "schedule"

// NotificationOf returns the recipients and text of an event, given the draft before and after it. Authors and
// reviewers hear of requests, comments, verdicts, dismissals and bypasses, speakers of a thread of new comments
// there, and whoever scheduled a publish of its end. Most events have no recipients.
func NotificationOf(before, after Draft, event Event[Draft], m Meta) (n Notification) {
	switch e := event.(type) {
	case ReviewRequested:
		n.To, n.Text = concerned(after), e.Note
	case ReviewWithdrawn:
		n.To, n.Text = concerned(before), e.Reason
	case ReviewBypassed:
		n.To, n.Text = concerned(after), e.Reason
	case VerdictGiven:
		n.To, n.Text, n.Approves = concerned(after), e.Comment, &e.Approves
	case VerdictWithdrawn:
		n.To = concerned(after)
	case VerdictDismissed:
		n.To, n.Text = concerned(after), e.Reason
	case ThreadOpened:
		n.To, n.Text, n.Thread = concerned(after), e.Text, e.Thread
	case CommentAdded:
		n.To, n.Text, n.Thread = append(concerned(after), speakers(after, e.Thread)...), e.Text, e.Thread
	case SuggestionApplied:
		n.To, n.Thread = append(concerned(after), speakers(after, e.Thread)...), e.Thread
	case PublishUnscheduled:
		n.To, n.Text = schedulers(before), e.Reason
	}
	told := map[string]bool{"": true, m.Actor: m.Causation != ScheduleCausation}
	n.To = slices.DeleteFunc(n.To, func(user string) bool {
		defer func() { told[user] = true }()
		return told[user]
	})
	return n
}

// concerned lists a draft's authors and, while its review is open, everyone involved in it.
func concerned(d Draft) []string {
	list := slices.Clone(d.Authors)
	if !d.UnderReview() {
		return list
	}
	list = append(append(list, d.Review.By), d.Review.Reviewers...)
	for _, v := range d.Review.Verdicts {
		list = append(list, v.By)
	}
	return list
}

func speakers(d Draft, thread string) []string {
	for _, t := range d.Threads {
		if t.ID == thread {
			return t.Speakers
		}
	}
	return nil
}

func schedulers(d Draft) []string {
	if d.Schedule == nil {
		return nil
	}
	return []string{d.Schedule.By}
}
