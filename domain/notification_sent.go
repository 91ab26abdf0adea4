package domain

// NotificationsOut is the position up to which an organization's notifications have been sent on one channel,
// such as mail.
type NotificationsOut struct {
	UpTo uint64 // position in the log
}

// NotificationsOuts is the category of [NotificationsOut].
var NotificationsOuts = NewCategory("notices",
	Kind[NoticesSent]("NoticesSent"),
).With(Traits{})

// NoticesSent says that all notifications up to a position of the log were sent, or given up.
type NoticesSent struct {
	UpTo uint64 `json:"upTo"`
}

// Evolve implements [Event].
func (e NoticesSent) Evolve(NotificationsOut, Meta) NotificationsOut { return NotificationsOut(e) }

// NotificationsOutID derives the id of an organization's mark for one channel.
func NotificationsOutID(organization, way string) string {
	return DeriveID("notices", organization, way)
}

// Sent advances the mark. A position before the mark changes nothing.
func (n NotificationsOut) Sent(upTo uint64) (Changes[NotificationsOut], error) {
	if upTo <= n.UpTo {
		return nil, nil
	}
	return Changes[NotificationsOut]{NoticesSent{UpTo: upTo}}, nil
}
