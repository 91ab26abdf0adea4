package domain

// NoticesOut is how far an organization's notices have been sent by one way, such as mail.
type NoticesOut struct {
	UpTo uint64 // position in the log
}

// NoticesOuts is the category of [NoticesOut].
var NoticesOuts = NewCategory("notices",
	Kind[NoticesSent]("NoticesSent"),
).With(Traits{})

// NoticesSent says that all notices up to a position of the log were sent, or given up.
type NoticesSent struct {
	UpTo uint64 `json:"upTo"`
}

// Evolve implements [Event].
func (e NoticesSent) Evolve(NoticesOut, Meta) NoticesOut { return NoticesOut(e) }

// NoticesOutID derives the id of an organization's mark for one way.
func NoticesOutID(organization, way string) string { return DeriveID("notices", organization, way) }

// Sent moves the mark on; what was sent before is sent already.
func (n NoticesOut) Sent(upTo uint64) (Changes[NoticesOut], error) {
	if upTo <= n.UpTo {
		return nil, nil
	}
	return Changes[NoticesOut]{NoticesSent{UpTo: upTo}}, nil
}
