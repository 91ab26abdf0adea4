// Package notify tells people what concerns them, by webhook and mail. A message is made apart from its delivery: a
// channel knows nothing of what it carries.
package notify

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
	"heddle/store/live"
)

// Notifier delivers what people are told of reviews. Each channel has a mark in the log for each
// organization: whoever starts next goes on behind it, so that none is lost and at most the last is sent
// again, under the same id.
type Notifier struct {
	Log      store.Log
	View     *projections.View
	Live     live.Live
	Logger   *slog.Logger
	Channels []Channel
	MaxAge   time.Duration                // HEDDLE_NOTICE_TIME: what could not be sent for so long is given up
	Again    time.Duration                // how long it waits after the first failure; 0 for a second
	Report   func(channel, result string) // each of NoticeResults, for metrics; may be nil
}

// Channel delivers messages to people.
type Channel interface {
	Name() string
	// Send returns the answers of receivers that will never take the message. After an error it is called again.
	Send(ctx context.Context, m Message) (refusals []string, err error)
}

// By what notices are sent, and what becomes of them: one that failed is sent again, the others are done with.
const (
	noticeWebhookName = "webhook"
	noticeMailName    = "mail"

	noticeSent    = "sent"
	noticeRefused = "refused"
	noticeFailed  = "failed"
	noticeLate    = "late"
)

// ChannelNames and NoticeResults are all that a [Notifier] reports.
var (
	ChannelNames = []string{noticeWebhookName, noticeMailName}
	Results      = []string{noticeSent, noticeRefused, noticeFailed, noticeLate}
)

const (
	noticeLease = 30 * time.Second // longer than any one sending
	noticeTime  = 15 * time.Second // for one sending
	noticePause = 5 * time.Minute  // the longest wait after a failure
	trialTime   = time.Hour        // for how long sending must have failed before age counts
)

// Run sends notices until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	for _, channel := range n.Channels {
		s := &sender{Notifier: n, channel: channel, name: uuid.NewString(), start: n.View.Position(),
			sent: map[string]store.Position{}, down: map[string]time.Time{}}
		work.Go(func() error { return s.run(ctx) })
	}
	return work.Wait()
}

// sender sends what is told one way. What is not marked begins where the log was when it started.
type sender struct {
	*Notifier
	channel Channel
	name    string
	start   store.Position
	sent    map[string]store.Position // marks, by organization
	down    map[string]time.Time      // since when sending for an organization has failed, while it does
	fails   int
}

func (s *sender) run(ctx context.Context) error {
	changed, stop := s.View.Watch()
	defer stop()
	defer s.release(context.WithoutCancel(ctx))
	for {
		timer, signal := time.NewTimer(s.round(ctx)), changed
		if s.fails > 0 { // a receiver that is down is not asked again for every edit
			signal = nil
		}
		select {
		case <-signal:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// round sends what is new and returns how long to wait if nothing changes.
func (s *sender) round(ctx context.Context) time.Duration {
	wait, failed := noticeLease/2, false
	for o := range s.View.Organizations.All() { // the trouble of one is not in the way of others
		if err := s.organization(ctx, o.ID); err != nil && ctx.Err() == nil {
			failed, wait = true, min(cmp.Or(s.Again, time.Second)<<min(s.fails, 12), noticePause)
			s.Logger.Warn("sending a notice failed; trying again", "way", s.channel.Name(), "organization", o.ID,
				"error", err, "wait", wait.String())
		}
	}
	if s.fails++; !failed {
		s.fails = 0
	}
	return wait
}

// organization sends what an organization's people were told since the mark.
func (s *sender) organization(ctx context.Context, id string) error {
	at, known := s.sent[id]
	if known && len(s.View.NotificationsAfter(id, at)) == 0 {
		return nil
	}
	if mine, err := s.leased(ctx); err != nil || !mine {
		return err
	}
	out, revision, err := store.Load(ctx, s.Log, domain.NotificationsOuts,
		domain.NotificationsOutID(id, s.channel.Name()))
	if err != nil {
		return err
	}
	if at = store.Position(out.UpTo); revision == store.NoStream {
		at = s.start
		if err := s.mark(ctx, id, at); err != nil {
			return err
		}
	}
	s.sent[id] = at
	for _, n := range s.View.NotificationsAfter(id, at) {
		if err := s.one(ctx, n); err != nil {
			return err
		}
		if err := s.mark(ctx, id, n.Position); err != nil {
			return err
		}
	}
	return nil
}

// one sends a notice. One that can't be sent is given up once it is too old.
func (s *sender) one(ctx context.Context, n *projections.Notification) error {
	if mine, err := s.leased(ctx); err != nil {
		return err
	} else if !mine {
		return refusal.New(refusal.Unavailable, "another process sends now")
	}
	log := s.Logger.With("way", s.channel.Name(), "organization", n.Organization, "notice", n.ID)
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	m, err := messageOf(ctx, s.View, n)
	if err != nil {
		return err
	}
	refusals, err := s.channel.Send(ctx, m)
	for _, answer := range refusals { // people are not named: the notice tells who they are
		log.Warn("a notice was refused for good and is given up", "answer", answer)
		s.report(noticeRefused)
	}
	if err != nil {
		s.report(noticeFailed)
		if !s.late(n) {
			return err
		}
		log.Error("a notice could not be sent in time and is given up", "error", err)
		s.report(noticeLate)
		return nil
	}
	delete(s.down, n.Organization)
	if len(refusals) == 0 {
		s.report(noticeSent)
	}
	return nil
}

// late reports whether a notice that failed is too old to be sent again. The machine's clock alone does not say so, as
// it may have been set wrong: sending must have failed for a while in this process, too.
func (s *sender) late(n *projections.Notification) bool {
	since, down := s.down[n.Organization]
	if !down {
		s.down[n.Organization] = time.Now()
		return false
	}
	return s.MaxAge > 0 && time.Since(n.At) > s.MaxAge && time.Since(since) > min(s.MaxAge, trialTime)
}

func (s *sender) report(result string) {
	if s.Report != nil {
		s.Report(s.channel.Name(), result)
	}
}

func (s *sender) mark(ctx context.Context, organization string, at store.Position) error {
	ctx = store.As(ctx, store.Author{Organization: organization, Actor: "system"})
	_, _, err := store.Change(ctx, s.Log, domain.NotificationsOuts,
		domain.NotificationsOutID(organization, s.channel.Name()),
		func(n domain.NotificationsOut) (domain.Changes[domain.NotificationsOut], error) {
			return n.Sent(uint64(at))
		})
	if err == nil {
		s.sent[organization] = at
	}
	return err
}

func (s *sender) leaseKey() string { return "notices/" + s.channel.Name() }

// leased keeps other processes from sending the same. Should two believe it, the receiver gets a notice
// twice, under one id.
func (s *sender) leased(ctx context.Context) (bool, error) {
	owner, found, err := s.Live.Get(ctx, s.leaseKey())
	if err != nil || found && string(owner) != s.name {
		return false, err
	}
	return true, s.Live.Set(ctx, s.leaseKey(), []byte(s.name), noticeLease)
}

func (s *sender) release(ctx context.Context) {
	if owner, found, err := s.Live.Get(ctx, s.leaseKey()); err == nil && found && string(owner) == s.name {
		_ = s.Live.Delete(ctx, s.leaseKey()) // else it ends by itself
	}
}
