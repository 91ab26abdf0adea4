package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"heddle/store"
)

// ExecutionQuery chooses executions; empty fields choose all. The newest come first.
type ExecutionQuery struct {
	Organization                string
	Instance, Integration, Flow string
	Test                        *bool
	StartedFrom, StartedTo      time.Time
	Before                      store.Position // only those that were queued before this one; 0 for all
	Limit                       int
}

const runColumns = `id, organization, instance, integration, version, customer, flow, flow_name, invoke, test,
	position, queued, started, ended, result, error, claims`

// Executions gives a page of executions and how many there are in all.
func (x *RunIndex) Executions(ctx context.Context, q ExecutionQuery) ([]Execution, int, error) {
	where, args := q.where()
	var total int
	if err := x.db.QueryRowContext(ctx, `SELECT count(*) FROM runs WHERE `+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("counting executions: %w", err)
	}
	if q.Before > 0 {
		where, args = where+` AND position < ?`, append(args, q.Before)
	}
	page, err := x.list(ctx, where+` ORDER BY position DESC LIMIT ?`, append(args, q.Limit)...)
	return page, total, err
}

// Unfinished gives the executions that have not ended and were queued after a position, oldest first.
func (x *RunIndex) Unfinished(ctx context.Context, after store.Position, limit int) ([]Execution, error) {
	return x.list(ctx, `ended = 0 AND position > ? ORDER BY position LIMIT ?`, after, limit)
}

// Execution finds one execution of an organization.
func (x *RunIndex) Execution(ctx context.Context, organization, id string) (Execution, bool, error) {
	found, err := x.list(ctx, `id = ? AND organization = ?`, id, organization)
	if err != nil || len(found) == 0 {
		return Execution{}, false, err
	}
	return found[0], true, nil
}

func (q ExecutionQuery) where() (string, []any) {
	terms, args := []string{"organization = ?"}, []any{q.Organization}
	add := func(term string, arg any) { terms, args = append(terms, term), append(args, arg) }
	if q.Instance != "" {
		add("instance = ?", q.Instance)
	}
	if q.Integration != "" {
		add("integration = ?", q.Integration)
	}
	if q.Flow != "" {
		add("flow = ?", q.Flow)
	}
	if q.Test != nil {
		add("test = ?", *q.Test)
	}
	if !q.StartedFrom.IsZero() {
		add("started >= ?", q.StartedFrom.UnixMicro())
	}
	if !q.StartedTo.IsZero() {
		add("started BETWEEN 1 AND ?", q.StartedTo.UnixMicro())
	}
	return strings.Join(terms, " AND "), args
}

func (x *RunIndex) list(ctx context.Context, tail string, args ...any) (list []Execution, err error) {
	rows, err := x.db.QueryContext(ctx, `SELECT `+runColumns+` FROM runs WHERE `+tail, args...)
	if err != nil {
		return nil, fmt.Errorf("listing executions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("listing executions: %w", err)
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

func scan(rows *sql.Rows) (Execution, error) {
	var e Execution
	var queued, started, ended int64
	err := rows.Scan(&e.ID, &e.Organization, &e.Instance, &e.Integration, &e.Version, &e.Customer, &e.Flow, &e.FlowName,
		&e.Invoke, &e.Test, &e.Position, &queued, &started, &ended, &e.Result, &e.Error, &e.Claims)
	e.QueuedAt, e.StartedAt, e.EndedAt = fromMicro(queued), fromMicro(started), fromMicro(ended)
	return e, err
}

func fromMicro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
