package domain

// NotificationsOut is how far an organization's notices have been sent by one way, such as mail.
type NotificationsOut struct {
	UpTo uint64 // position in the log
}

// NotificationsOuts is the category of [NotificationsOut].
var NotificationsOuts = NewCategory("notices",
	Kind[NoticesSent]("NoticesSent"),
).With(Traits{})

// NoticesSent says that all notices up to a position of the log were sent, or given up.
type NoticesSent struct {
	UpTo uint64 `json:"upTo"`
}

// Evolve implements [Event].
func (e NoticesSent) Evolve(NotificationsOut, Meta) NotificationsOut { return NotificationsOut(e) }

// NotificationsOutID derives the id of an organization's mark for one way.
func NotificationsOutID(organization, way string) string {
	return DeriveID("notices", organization, way)
}

// Sent moves the mark on; what was sent before is sent already.
func (n NotificationsOut) Sent(upTo uint64) (Changes[NotificationsOut], error) {
	if upTo <= n.UpTo {
		return nil, nil
	}
	return Changes[NotificationsOut]{NoticesSent{UpTo: upTo}}, nil
}
