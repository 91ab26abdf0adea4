package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
	"heddle/store/live"
)

// parlour is a log with two organizations, and a receiver of notices.
type parlour struct {
	t    *testing.T
	log  store.Log
	view *projections.View
	live live.Live
	mu   sync.Mutex
	got  []string // id and type of each that was accepted
	down int      // how many are refused first
	url  string

	logger  *slog.Logger
	results []string // that were reported
}

var noticeKey = []byte("a key of thirty-two bytes, or so")

func newParlour(t *testing.T) *parlour {
	p := &parlour{t: t, log: store.NewMemory(), live: live.NewMemory(), logger: slog.New(slog.DiscardHandler)}
	p.view = projections.NewView(p.log, p.logger)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = p.view.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	server := httptest.NewServer(http.HandlerFunc(p.receive))
	t.Cleanup(server.Close)
	p.url = server.URL
	for _, o := range []string{"o1", "o2"} {
		write(p, o, "system", domain.Organizations, o, domain.OrganizationCreated{Name: o})
		for _, u := range []string{"author", "reviewer"} {
			write(p, o, "system", domain.Users, u+o, domain.UserCreated{Email: u + "@" + o + ".example", Name: u,
				Role: domain.Admin})
		}
	}
	return p
}

func write[S any](p *parlour, o, actor string, c *domain.Category[S], id string, events ...domain.Event[S]) {
	p.t.Helper()
	ctx := store.As(p.t.Context(), store.Author{Organization: o, Actor: actor})
	_, at, err := store.Change(ctx, p.log, c, id, func(S) (domain.Changes[S], error) { return events, nil })
	if err == nil {
		err = p.view.Wait(ctx, at)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// reviewed has all happen that people of an organization are told of.
func (p *parlour) reviewed(o string) {
	author, reviewer, id := "author"+o, "reviewer"+o, "draft"+o
	write(p, o, author, domain.Drafts, id, domain.DraftOpened{Integration: "i" + o, Definition: &definition.Part{}},
		domain.ReviewRequested{Review: "r", Reviewers: []string{reviewer}})
	write(p, o, reviewer, domain.Drafts, id, domain.ThreadOpened{Thread: "t", Text: "Why?"},
		domain.VerdictGiven{Verdict: "v", Comment: "No."})
	write(p, o, author, domain.Drafts, id, domain.VerdictDismissed{Reviewer: reviewer, Reason: "Old."},
		domain.ReviewBypassed{Reason: "An outage."})
}

func (p *parlour) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, noticeKey)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	if r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		p.t.Errorf("the signature of %s is wrong", body)
	}
	var m Message
	if err := json.Unmarshal(body, &m); err != nil || len(m.Data.To) != 1 {
		p.t.Errorf("got %s: %v", body, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down > 0 {
		p.down--
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		return
	}
	p.got = append(p.got, m.Type+" "+m.Data.To[0].Email+" "+id)
}

// told waits until so many were accepted and returns them without their ids.
func (p *parlour) told(n int) (all, ids []string) {
	p.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		all = slices.Clone(p.got)
		p.mu.Unlock()
		if len(all) >= n || time.Now().After(end) {
			break
		}
	}
	for i, s := range all {
		at := strings.LastIndex(s, " ")
		all[i], ids = s[:at], append(ids, s[at+1:])
	}
	return all, ids
}

func (p *parlour) notifier(way Channel) *Notifier {
	return &Notifier{Log: p.log, View: p.view, Live: p.live, Logger: p.logger, Channels: []Channel{way},
		MaxAge: time.Hour, Again: time.Millisecond,
		Report: func(way, result string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.results = append(p.results, way+" "+result)
		}}
}

// send runs a notifier until the test, or what it gives, ends it.
func (p *parlour) send(way Channel) (stop func()) {
	n := p.notifier(way)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = n.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	p.t.Cleanup(stop)
	return stop
}

// reported counts a way's result.
func (p *parlour) reported(result string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.results {
		if r == result {
			n++
		}
	}
	return n
}

func (p *parlour) marked(way string) { p.settled("o2", way) }

// settled waits until an organization's mark of a way stands behind all its notices.
func (p *parlour) settled(o, way string) {
	p.t.Helper()
	for range 10000 {
		out, revision, err := store.Load(p.t.Context(), p.log, domain.NotificationsOuts,
			domain.NotificationsOutID(o, way))
		if err == nil && revision != store.NoStream &&
			len(p.view.NotificationsAfter(o, store.Position(out.UpTo))) == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	p.t.Fatal("never marked")
}

func (p *parlour) webhook() Channel {
	way, err := NewWebhook(p.url, "whsec_"+base64.StdEncoding.EncodeToString(noticeKey))
	if err != nil {
		p.t.Fatal(err)
	}
	return way
}

func wanted(o string) []string {
	a, r := " author@"+o+".example", " reviewer@"+o+".example"
	return []string{"REVIEW_REQUESTED" + r, "THREAD_OPENED" + a, "VERDICT_GIVEN" + a, "VERDICT_DISMISSED" + r,
		"REVIEW_BYPASSED" + r}
}

// Each notice comes once, signed, though the receiver was down, and though the sender was started again;
// what happened before the first start does not come.
func TestNoticeWebhook(t *testing.T) {
	p := newParlour(t)
	write(p, "o1", "reviewero1", domain.Drafts, "old", domain.DraftOpened{Definition: &definition.Part{}},
		domain.ReviewRequested{Reviewers: []string{"authoro1"}})
	stop := p.send(p.webhook())
	p.marked("webhook")
	p.down = 3
	p.reviewed("o1")
	p.settled("o1", "webhook")
	stop()
	p.reviewed("o2") // while nobody sends
	stop = p.send(p.webhook())
	p.settled("o2", "webhook")
	stop()
	got, ids := p.told(10)
	slices.Sort(ids)
	if !slices.Equal(got, append(wanted("o1"), wanted("o2")...)) || len(slices.Compact(ids)) != 10 {
		t.Errorf("told %s", got)
	}
	if p.reported("webhook failed") != 3 || p.reported("webhook sent") != 10 {
		t.Errorf("reported %s", p.results)
	}
}

// A clock that is far ahead has every notice look old: none is given up before sending it has failed for a while.
func TestNoticeThatLooksOld(t *testing.T) {
	for down, late := range map[int]int{0: 0, 1: 0, 2: 1} {
		p := newParlour(t)
		stop := p.send(p.webhook())
		p.marked("webhook")
		stop()
		p.reviewed("o1")
		n := p.notifier(p.webhook())
		n.MaxAge, p.down = time.Nanosecond, down
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = n.Run(ctx) })
		p.settled("o1", "webhook")
		cancel()
		running.Wait()
		if p.reported("webhook late") != late || p.reported("webhook sent") != 5-late {
			t.Errorf("after %d failures: %s", down, p.results)
		}
	}
}

// dying is a log that ends its notifier where it would mark what was sent.
type dying struct {
	store.Log
	marks int // that still succeed
	die   func()
}

func (d *dying) Append(ctx context.Context, stream string, expected store.Revision,
	events ...store.Event) (store.Position, error) {
	if d.marks--; d.marks < 0 {
		d.die()
		return 0, context.Canceled
	}
	return d.Log.Append(ctx, stream, expected, events...)
}

// A sender that dies between a notice's POST and its mark has it sent again by the next one, under the
// same id, and no other.
func TestNoticeUnmarked(t *testing.T) {
	p := newParlour(t)
	stop := p.send(p.webhook())
	p.marked("webhook")
	stop()
	p.reviewed("o1")
	n := p.notifier(p.webhook())
	ctx, cancel := context.WithCancel(t.Context())
	n.Log = &dying{n.Log, 2, cancel}
	if err := n.Run(ctx); err != nil {
		t.Fatal(err)
	}
	p.send(p.webhook())
	got, ids := p.told(6)
	want := wanted("o1")
	if !slices.Equal(got, slices.Insert(want, 2, want[2])) || ids[2] != ids[3] || len(slices.Compact(ids)) != 5 {
		t.Errorf("told %s under %s", got, ids)
	}
}

func TestNoticeSettings(t *testing.T) {
	for _, c := range [][2]string{{"ftp://x", "whsec_" + strings.Repeat("A", 44)}, {"http://x", "secret"},
		{"http://x", "whsec_AAAA"}} {
		if _, err := NewWebhook(c[0], c[1]); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: %v", c, err)
		}
	}
	for _, c := range [][2]string{{"http://x", "a@b.example"}, {"smtp://x", ""}} {
		if _, err := NewMail(c[0], c[1]); refusal.CodeOf(err) != refusal.Invalid {
			t.Errorf("%s: %v", c, err)
		}
	}
}
