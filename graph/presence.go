package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store/live"
)

const (
	presenceBeat   = 5 * time.Second  // how often a process tells who is here
	presenceExpiry = 15 * time.Second // when those of a process that has fallen silent are gone
	maxPresent     = 200              // of one process on one draft
	maxPresenceKey = 100              // bytes of a session's or a part's id
	maxCursor      = 1024             // bytes
)

// attendee is somebody who looks at a draft, on one socket.
type attendee struct {
	Session string    `json:"session"`
	User    string    `json:"user"`
	Part    string    `json:"part,omitempty"`
	Cursor  string    `json:"cursor,omitempty"`
	Since   time.Time `json:"since"`
}

func (p attendee) key() string { return p.User + "/" + p.Session }

// presenceMessage is a message between processes about a draft: who is here of their own sockets, or
// where somebody has moved whose socket is another's. It may get lost: the next one tells all.
type presenceMessage struct {
	From   string     `json:"from"`
	Hello  bool       `json:"hello,omitempty"` // who has just come wants to know
	Moved  *attendee  `json:"moved,omitempty"`
	Roster []attendee `json:"roster,omitempty"`
}

// presences knows who is on which draft. Nothing of it lasts: it is as long as the sockets are.
type presences struct {
	live   live.Live
	logger *slog.Logger
	id     string // of this process
	mu     sync.Mutex
	rooms  map[string]*room
}

// room is those who look at one draft.
type room struct {
	of       *presences
	topic    string
	here     map[string]attendee // on this process
	others   map[string]roster   // by process
	watchers map[chan struct{}]struct{}
	stop     func()
	told     chan struct{} // one slot: this process has news to tell
}

type roster struct {
	list  []attendee
	until time.Time
}

func newPresences(live live.Live, logger *slog.Logger) *presences {
	return &presences{live: live, logger: logger, id: newID(), rooms: map[string]*room{}}
}

// join makes somebody present on a draft until leave is called. The signal fires on changes.
func (ps *presences) join(draft string, p attendee) (in *room, signal <-chan struct{}, leave func(), err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	in = ps.rooms[draft]
	if in == nil {
		in = ps.open(draft)
	}
	if _, again := in.here[p.key()]; again {
		return nil, nil, nil, refusal.ForField(refusal.Conflict, "session",
			"is here already; each socket has a session of its own")
	}
	if len(in.here) >= maxPresent {
		return nil, nil, nil, refusal.ForField(refusal.Unavailable, "draft", "has %d people here, as many as are shown",
			len(in.here))
	}
	watcher := make(chan struct{}, 1)
	in.here[p.key()], in.watchers[watcher] = p, struct{}{}
	in.changed()
	return in, watcher, sync.OnceFunc(func() {
		ps.mu.Lock()
		delete(in.here, p.key())
		delete(in.watchers, watcher)
		in.changed()
		last := len(in.here) == 0
		if last {
			delete(ps.rooms, draft)
		}
		ps.mu.Unlock()
		if last {
			in.stop()
		}
	}), nil
}

// open makes the room of a draft on this process. Its goroutine ends with the last who leaves.
func (ps *presences) open(draft string) *room {
	in := &room{of: ps, topic: live.PresenceTopic(draft), here: map[string]attendee{}, others: map[string]roster{},
		watchers: map[chan struct{}]struct{}{}, told: make(chan struct{}, 1)}
	ps.rooms[draft] = in
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { in.run(ctx) })
	in.stop = func() {
		cancel()
		working.Wait()
	}
	return in
}

// run returns the other processes what is new here, and hears what they tell.
func (in *room) run(ctx context.Context) {
	messages, unsubscribe := in.of.live.Subscribe(in.topic)
	defer unsubscribe()
	beat := time.NewTicker(presenceBeat)
	defer beat.Stop()
	in.publish(ctx, presenceMessage{From: in.of.id, Hello: true})
	for {
		select {
		case m := <-messages:
			in.hear(m)
		case <-in.told:
			in.publish(ctx, in.roster())
		case <-beat.C:
			in.publish(ctx, in.roster())
			in.expire()
		case <-ctx.Done():
			leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			in.publish(leaving, presenceMessage{From: in.of.id, Roster: []attendee{}})
			cancel()
			return
		}
	}
}

func (in *room) publish(ctx context.Context, m presenceMessage) {
	data, err := json.Marshal(m)
	if err == nil {
		err = in.of.live.Publish(ctx, in.topic, data)
	}
	if err != nil && ctx.Err() == nil {
		in.of.logger.Warn("telling who is here failed; trying again", "error", err)
	}
}

func (in *room) roster() presenceMessage {
	in.of.mu.Lock()
	defer in.of.mu.Unlock()
	return presenceMessage{From: in.of.id, Roster: slices.Collect(maps.Values(in.here))}
}

// hear takes in what a process has told.
func (in *room) hear(data []byte) {
	var m presenceMessage
	if json.Unmarshal(data, &m) != nil {
		return // a newer version's
	}
	in.of.mu.Lock()
	defer in.of.mu.Unlock()
	switch {
	case m.Moved != nil:
		p, here := in.here[m.Moved.key()]
		if !here || p.Part == m.Moved.Part && p.Cursor == m.Moved.Cursor {
			return
		}
		p.Part, p.Cursor = m.Moved.Part, m.Moved.Cursor
		in.here[p.key()] = p
		in.changed()
	case m.From == in.of.id:
	case m.Hello:
		in.tell()
	case len(m.Roster) == 0:
		delete(in.others, m.From)
		in.wake()
	default:
		in.others[m.From] = roster{m.Roster, time.Now().Add(presenceExpiry)}
		in.wake()
	}
}

// expire forgets processes that have fallen silent.
func (in *room) expire() {
	in.of.mu.Lock()
	defer in.of.mu.Unlock()
	for process, r := range in.others {
		if time.Now().After(r.until) {
			delete(in.others, process)
			in.wake()
		}
	}
}

// changed, under the lock, has everybody learn who is here now.
func (in *room) changed() {
	in.wake()
	in.tell()
}

func (in *room) tell() {
	select {
	case in.told <- struct{}{}:
	default: // it will
	}
}

func (in *room) wake() {
	for w := range in.watchers {
		select {
		case w <- struct{}{}:
		default: // it has been woken
		}
	}
}

// everybody lists who is here, those who came first in front.
func (in *room) everybody() []attendee {
	in.of.mu.Lock()
	defer in.of.mu.Unlock()
	list := slices.Collect(maps.Values(in.here))
	for _, r := range in.others {
		list = append(list, r.list...)
	}
	slices.SortFunc(list, func(a, b attendee) int {
		return cmp.Or(a.Since.Compare(b.Since),
			cmp.Compare(a.key(), b.key()))
	})
	return list
}

// presence has the caller be present on a draft as long as the subscription lasts, and sends who else is.
func (r *Resolver) presence(ctx context.Context, draft, session string, part *string) (<-chan *PresenceList, error) {
	shown, err := r.draftByID(ctx, draft)
	if err != nil {
		return nil, err
	}
	me := attendee{Session: session, User: access.Of(ctx).User, Part: partOf(deref(part)), Since: time.Now().UTC()}
	if err := me.check(); err != nil {
		return nil, err
	}
	in, signal, leave, err := r.presences.join(shown.ID, me)
	if err != nil {
		return nil, err
	}
	return stream(ctx, func(ctx context.Context, send func(PresenceList) bool) error {
		defer leave()
		var last []attendee
		for {
			select {
			case <-signal:
			case <-ctx.Done():
				return ctx.Err()
			}
			now := in.everybody()
			if last != nil && slices.Equal(now, last) {
				continue
			}
			if last = now; !send(shown.presences(now)) {
				return ctx.Err()
			}
		}
	}), nil
}

func (p attendee) check() error {
	switch {
	case p.Session == "" || len(p.Session) > maxPresenceKey:
		return refusal.ForField(refusal.Invalid, "session", "must have 1 to %d bytes; a random id is fine",
			maxPresenceKey)
	case len(p.Part) > maxPresenceKey:
		return refusal.ForField(refusal.Invalid, "part", "must be the id of a part")
	case len(p.Cursor) > maxCursor:
		return refusal.ForField(refusal.Invalid, "cursor", "has %d bytes; the limit is %d", len(p.Cursor), maxCursor)
	}
	return nil
}

// movePresence records where the caller is on a draft now.
func (r *Resolver) movePresence(ctx context.Context, input MovePresenceInput) (*MovePresencePayload, error) {
	shown, err := r.draftByID(ctx, input.Draft)
	me := attendee{Session: input.Session, User: access.Of(ctx).User, Part: partOf(deref(input.Part)),
		Cursor: deref(input.Cursor)}
	if err == nil {
		err = me.check()
	}
	if err == nil {
		var data []byte
		if data, err = json.Marshal(presenceMessage{From: r.presences.id, Moved: &me}); err == nil {
			err = r.Live.Publish(ctx, live.PresenceTopic(shown.ID), data)
		}
	}
	errs, err := refusals(err)
	return &MovePresencePayload{Errors: errs}, err
}

// presences shows who is here.
func (d Draft) presences(list []attendee) PresenceList {
	shown := PresenceList{ID: domain.DeriveID("presences", d.ID), Presences: make([]Presence, len(list))}
	for i, p := range list {
		shown.Presences[i] = Presence{ID: domain.DeriveID("presence", d.ID, p.key()), Session: p.Session,
			User: d.r.user(d.Organization, p.User), Part: optional(p.Part), Cursor: optional(p.Cursor), Since: p.Since}
	}
	return shown
}
