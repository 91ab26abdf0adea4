package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"heddle/domain"
	"heddle/store"
)

// AuditEntry is an event as auditors look for it: every event of what people build and look after, and what
// people did to executions. The event itself is in the log.
type AuditEntry struct {
	Position store.Position
	Stream   string
	Revision store.Revision
	Kind     string
	Actor    string
	At       time.Time
}

// auditedCategories are the categories that the index follows for the audit; of runs it keeps people's events
// only.
var auditedCategories = domain.CategoriesWith(func(t domain.Traits) bool { return t.Audited })

// machines are the actors whose events of a run are not audited.
var machines = []string{"system", "trigger"}

const auditSchema = `
CREATE TABLE acts (
	position INTEGER PRIMARY KEY, organization INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL,
	kind TEXT NOT NULL, stream TEXT NOT NULL, revision INTEGER NOT NULL
);
`

// auditIndexes end with the position, as every index does.
const auditIndexes = `
CREATE INDEX IF NOT EXISTS acts_by_organization ON acts (organization);
CREATE INDEX IF NOT EXISTS acts_by_actor ON acts (organization, actor);
CREATE INDEX IF NOT EXISTS acts_by_stream ON acts (stream);
`

// auditRecord is a record to be written to the audit.
type auditRecord struct {
	store.Recorded
	meta domain.Meta
}

// audited reports whether a record belongs in the audit: events of audited categories do, and of runs those
// that people make.
func audited(rec store.Recorded, meta domain.Meta) bool {
	return domain.TraitsOf(rec.Category()).Audited || !slices.Contains(machines, meta.Actor)
}

func (t *transaction) putAuditRecords(records []auditRecord) error {
	if len(records) == 0 {
		return nil
	}
	insert, err := t.tx.PrepareContext(t.ctx, `INSERT INTO acts VALUES (?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, a := range records {
		organization, err := t.organization(a.meta.Organization)
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(t.ctx, a.Position, organization, micro(a.meta.Time), a.meta.Actor, a.Kind,
			a.Stream, a.Revision); err != nil {
			return err
		}
	}
	return nil
}

// AuditQuery selects audit entries of an organization; zero values select all.
type AuditQuery struct {
	Organization string
	Actor        string
	Kinds        []string
	Streams      []string  // nil for all; none for none
	From, To     time.Time // From is included, To is not
	After        store.Position
	Ascending    bool // else the newest first, and After means before
	Limit        int  // 0 for all
}

// AuditEntries returns the entries that a query selects.
func (x *RunIndex) AuditEntries(ctx context.Context, q AuditQuery) (list []AuditEntry, err error) {
	if err := x.fresh(ctx); err != nil {
		return nil, err
	}
	where, args := q.where()
	order, than := "DESC", "<"
	if q.Ascending {
		order, than = "ASC", ">"
	}
	if q.After > 0 {
		where, args = where+` AND position `+than+` ?`, append(args, q.After)
	}
	where += ` ORDER BY position ` + order
	if q.Limit > 0 {
		where, args = where+` LIMIT ?`, append(args, q.Limit)
	}
	rows, err := x.db.QueryContext(ctx, `SELECT position, stream, revision, kind, actor, at FROM acts WHERE `+where,
		args...)
	if err != nil {
		return nil, fmt.Errorf("listing acts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a AuditEntry
		var at int64
		if err := rows.Scan(&a.Position, &a.Stream, &a.Revision, &a.Kind, &a.Actor, &at); err != nil {
			return nil, fmt.Errorf("listing acts: %w", err)
		}
		a.At = fromMicro(at)
		list = append(list, a)
	}
	return list, rows.Err()
}

// CountAuditEntries returns the number of entries that a query selects, on all pages.
func (x *RunIndex) CountAuditEntries(ctx context.Context, q AuditQuery) (n int, err error) {
	if err := x.fresh(ctx); err != nil {
		return 0, err
	}
	where, args := q.where()
	if err := x.db.QueryRowContext(ctx, `SELECT count(*) FROM acts WHERE `+where, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting acts: %w", err)
	}
	return n, nil
}

func (q AuditQuery) where() (where string, args []any) {
	where, args = `organization = (SELECT id FROM organizations WHERE name = ?)`, []any{q.Organization}
	if q.Streams != nil {
		where = `+` + where // few streams are looked up one by one, not among all of the organization
	}
	if q.Actor != "" {
		where, args = where+` AND actor = ?`, append(args, q.Actor)
	}
	for column, values := range map[string][]string{"kind": q.Kinds, "stream": q.Streams} {
		if values == nil {
			continue
		}
		where += ` AND ` + column + ` IN (` + strings.TrimSuffix(strings.Repeat("?,", len(values)), ",") + `)`
		for _, v := range values {
			args = append(args, v)
		}
	}
	if !q.From.IsZero() {
		where, args = where+` AND at >= ?`, append(args, q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		where, args = where+` AND at < ?`, append(args, q.To.UnixMicro())
	}
	return where, args
}
