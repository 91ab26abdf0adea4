package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
	"heddle/store"
)

// AuditEvent is an event of the log as auditors see it.
type AuditEvent struct {
	r            *Resolver
	organization string
	record       store.Recorded // without data if it was removed
	meta         domain.Meta
	act          projections.AuditEntry
}

// auditFilter selects audit entries; an empty field fits all.
type auditFilter struct {
	actor, subject string
	kinds          []string
	from, to       *time.Time
	ascending      bool
}

// actQuery returns the query of a filter, once that has what the caller may have just done.
func (r *Resolver) actQuery(ctx context.Context, f auditFilter) projections.AuditQuery {
	r.Runs.Settle(ctx, r.View.Applied())
	q := projections.AuditQuery{Organization: access.Of(ctx).Organization, Actor: f.actor, Kinds: f.kinds,
		Ascending: f.ascending}
	if f.subject != "" {
		q.Streams = streamsOf(r.View, q.Organization, f.subject)
	}
	if f.from != nil {
		q.From = *f.from
	}
	if f.to != nil {
		q.To = *f.to
	}
	return q
}

// streamsOf returns the streams that tell of something by its id: of an integration those of its drafts and
// instances, too, of a customer those of its instances.
func streamsOf(view *projections.View, organization, id string) []string {
	streams := []string{domain.Organizations.Stream(id), domain.Users.Stream(id), domain.Customers.Stream(id),
		domain.Integrations.Stream(id),
		domain.Drafts.Stream(id), domain.Instances.Stream(id), domain.Runs.Stream(id)}
	if i, is := view.Integrations.Get(organization, id); is {
		for _, v := range i.Versions {
			streams = append(streams, domain.Drafts.Stream(v.Draft)) // drafts that have ended are not in the View
		}
		for _, d := range view.Drafts.Each(organization) {
			if d.Integration == id {
				streams = append(streams, domain.Drafts.Stream(d.ID))
			}
		}
	}
	for _, i := range view.Instances.Each(organization) {
		if i.Integration == id || i.Customer == id {
			streams = append(streams, domain.Instances.Stream(i.ID))
		}
	}
	return streams
}

// auditEvents returns a page of the audit.
func (r *Resolver) auditEvents(ctx context.Context, f auditFilter, w window) (*Page[AuditEvent], error) {
	from, size, err := w.read()
	if err != nil {
		return nil, err
	}
	place, err := parseCursor(from)
	if err != nil {
		return nil, err
	}
	q := r.actQuery(ctx, f)
	paged := q
	paged.After, paged.Limit, paged.Ascending = store.Position(place), size+1, q.Ascending != w.backwards()
	acts, err := r.Runs.AuditEntries(ctx, paged)
	if err != nil {
		return nil, err
	}
	page := &Page[AuditEvent]{Nodes: []AuditEvent{}, Edges: []Edge[AuditEvent]{},
		PageInfo: PageInfo{HasPreviousPage: place > 0, HasNextPage: len(acts) > size},
		total:    func(ctx context.Context) (int, error) { return r.Runs.CountAuditEntries(ctx, q) }}
	for _, a := range acts[:min(size, len(acts))] {
		e, err := r.auditEvent(ctx, q.Organization, a)
		if err != nil {
			return nil, err
		}
		page.add(e, cursor(uint64(a.Position)))
	}
	if w.backwards() {
		page.turn()
	}
	return page, nil
}

// auditEvent reads an event.
func (r *Resolver) auditEvent(ctx context.Context, organization string, a projections.AuditEntry) (AuditEvent, error) {
	e := AuditEvent{r: r, organization: organization, act: a}
	for rec, err := range r.Log.Read(ctx, a.Stream, a.Revision) {
		if refusal.CodeOf(err) == refusal.NotFound {
			return e, nil
		}
		if err != nil {
			return e, err
		}
		e.record = rec
		e.meta, err = store.MetaOf(rec)
		return e, err
	}
	return e, nil
}

// auditID is the prefix of ids of events in the audit; the position follows.
const auditID = "event:"

// auditEventByID finds an event for those who may read the audit.
func (r *Resolver) auditEventByID(ctx context.Context, id string) (Node, error) {
	caller := access.Of(ctx)
	text, is := strings.CutPrefix(id, auditID)
	position, err := strconv.ParseUint(text, 10, 63)
	if !is || err != nil || position == 0 || !caller.May(access.ReadAudit) {
		return nil, refusal.Missing("event")
	}
	acts, err := r.Runs.AuditEntries(ctx, projections.AuditQuery{Organization: caller.Organization, Ascending: true,
		After: store.Position(position - 1), Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(acts) == 0 || acts[0].Position != store.Position(position) {
		return nil, refusal.Missing("event")
	}
	return r.auditEvent(ctx, caller.Organization, acts[0])
}

// ID is by which node finds it.
func (e AuditEvent) ID() string { return auditID + e.Position() }

// Position is its place in the log.
func (e AuditEvent) Position() string { return strconv.FormatUint(uint64(e.act.Position), 10) }

// Kind is its name for ever.
func (e AuditEvent) Kind() string { return e.act.Kind }

// SubjectType is the category of its stream.
func (e AuditEvent) SubjectType() string {
	category, _, _ := strings.Cut(e.act.Stream, "-")
	return category
}

// Subject is the id of what it happened to.
func (e AuditEvent) Subject() string {
	_, id, _ := strings.Cut(e.act.Stream, "-")
	return id
}

// Revision is its place in its stream.
func (e AuditEvent) Revision() int { return int(e.act.Revision) }

// At is when it was decided.
func (e AuditEvent) At() time.Time { return e.act.At }

// Actor is who caused it.
func (e AuditEvent) Actor() string { return e.act.Actor }

// User is who caused it, if it was somebody.
func (e AuditEvent) User() *User { return e.r.user(e.organization, e.act.Actor) }

// Token is the one that it came with.
func (e AuditEvent) Token() *APIToken {
	u := e.User()
	if u == nil {
		return nil
	}
	for _, t := range u.Tokens {
		if t.ID == e.meta.Token {
			return &APIToken{Token: t, User: *u}
		}
	}
	return nil
}

// RemoteAddress is where it came from.
func (e AuditEvent) RemoteAddress() *string { return optional(e.meta.Remote) }

// Correlation is shared by all that one request caused.
func (e AuditEvent) Correlation() *string { return optional(e.meta.Correlation) }

// Data is the event as it is stored.
func (e AuditEvent) Data() *string { return optional(string(e.record.Data)) }

// Hash is over all of it as stored.
func (e AuditEvent) Hash() *string {
	if e.record.Data == nil {
		return nil
	}
	return optional(store.HashOf(e.record))
}

// PreviousHash is that of the event before it in its stream.
func (e AuditEvent) PreviousHash() *string { return optional(e.meta.Previous) }

// auditPath is where the audit is exported from.
const auditPath = "/api/audit"

// exportPage is how many events an export looks up together.
const exportPage = 500

// serveAudit writes the audit as NDJSON, the oldest first, one [store.Exported] a line. It takes what
// Query.auditEvents does.
func (r *Resolver) serveAudit(w http.ResponseWriter, q *http.Request) {
	ctx := q.Context()
	caller, form := access.Of(ctx), q.URL.Query()
	f := auditFilter{actor: form.Get("actor"), subject: form.Get("subject"), kinds: form["kind"], ascending: true}
	var err error
	switch {
	case caller.User == "":
		http.Error(w, "send a valid API token: Authorization: Bearer …", http.StatusUnauthorized)
		return
	case !caller.May(access.ReadAudit):
		http.Error(w, fmt.Sprintf("the role %s may not read the audit", caller.Role), http.StatusForbidden)
		return
	}
	if f.from, err = timeIn(form.Get("from")); err == nil {
		f.to, err = timeIn(form.Get("to"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", `attachment; filename="audit.ndjson"`)
	if err := r.writeAudit(ctx, w, r.actQuery(ctx, f)); err != nil && ctx.Err() == nil {
		r.Logger.Error("exporting the audit failed", "error", err)
		panic(http.ErrAbortHandler) // so that what is cut off does not look whole
	}
}

func timeIn(s string) (*time.Time, error) {
	if s == "" {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return nil, refusal.New(refusal.Invalid, "%q is no time; write it as 2026-01-02T03:04:05Z", s)
	}
	return &t, nil
}

// writeAudit writes what a query chooses, page by page.
func (r *Resolver) writeAudit(ctx context.Context, w http.ResponseWriter, q projections.AuditQuery) error {
	encoder := json.NewEncoder(w)
	for q.Limit = exportPage; ; {
		acts, err := r.Runs.AuditEntries(ctx, q)
		if err != nil {
			return err
		}
		for _, a := range acts {
			e, err := r.auditEvent(ctx, q.Organization, a)
			if err != nil {
				return err
			}
			q.After = a.Position
			if e.record.Data == nil {
				continue // it was removed
			}
			if err := encoder.Encode(store.Export(e.record)); err != nil {
				return err
			}
		}
		if len(acts) < q.Limit {
			return nil
		}
	}
}
