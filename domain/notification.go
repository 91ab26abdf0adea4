package domain

import "slices"

// Notification is what people are told of an event of a draft.
type Notification struct {
	To       []string // users, each once; never who did it
	Thread   string   // that the event is about, if any
	Approves *bool    // of a verdict
	Text     string   // what the event's author said
}

// ScheduleCausation is the causation of what is done in somebody's name because its planned time has come.
const ScheduleCausation = "schedule"

// NotificationOf tells whom an event of a draft is news for, given the draft before and after it: authors and
// reviewers hear of request, comment, verdict, dismissal and bypass, who spoke in a thread of what is said
// there, and who planned to publish of the plan's end. Most events are news for nobody.
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

// concerned are a draft's authors, and who has to do with its review while it is open.
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
