package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/store"
)

// ExecutionQuery selects executions; empty fields select all. They are sorted by when they started or, before
// that, were queued, newest first.
type ExecutionQuery struct {
	Organization                         string
	Instance, Integration, Version, Flow string
	Customer                             string
	Invoke                               domain.InvokeType
	Test                                 *bool
	StartedFrom, StartedTo               time.Time
	Started, Ended                       *bool
	Failed                               *bool // whether it ended with the result ERROR; one that has not ended has not
	Canceled                             *bool // whether it was canceled, by a person or as a duplicate
	Result                               domain.ResultType
	HasError                             *bool
	// words that begin words of its step names, errors and log lines, all of them
	Text      string
	Ascending bool
	After     ExecutionPlace // only those behind it; the zero place for all
	Limit     int
}

// ExecutionPlace is an execution's place in lists.
type ExecutionPlace struct {
	At       int64 // when it started or, before that, was queued, in microseconds
	Position store.Position
}

// Place returns the execution's place in lists.
func (e Execution) Place() ExecutionPlace {
	at := e.StartedAt
	if at.IsZero() {
		at = e.QueuedAt
	}
	return ExecutionPlace{at.UnixMicro(), e.Position}
}

const runColumns = `r.id, o.name, s.instance, s.integration, s.version, s.customer, s.flow, s.flow_name, s.invoke,
	r.position, r.queued, r.started, r.ended, r.result, r.error, r.claims`

// listed joins a run with the rows that it shares with others.
const listed = ` JOIN sources s ON s.id = r.source JOIN organizations o ON o.id = r.organization `

// Executions returns a page of executions.
func (x *RunIndex) Executions(ctx context.Context, q ExecutionQuery) ([]Execution, error) {
	if err := x.fresh(ctx); err != nil {
		return nil, err
	}
	chosen, args, err := x.choose(ctx, q, true)
	if err != nil || chosen == "" {
		return nil, err
	}
	return x.list(ctx, `(`+chosen+`) p CROSS JOIN runs r ON r.position = p.position`+listed+q.order()+` LIMIT ?`,
		append(args, q.Limit)...)
}

// Count returns how many executions a query selects, on all pages.
func (x *RunIndex) Count(ctx context.Context, q ExecutionQuery) (n int, err error) {
	if err := x.fresh(ctx); err != nil {
		return 0, err
	}
	chosen, args, err := x.choose(ctx, q, false)
	if err != nil || chosen == "" {
		return 0, err
	}
	if err := x.db.QueryRowContext(ctx, `SELECT count(*) FROM (`+chosen+`)`, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting executions: %w", err)
	}
	return n, nil
}

// Unfinished returns the unfinished executions that were queued after a position, oldest first.
func (x *RunIndex) Unfinished(ctx context.Context, after store.Position, limit int) ([]Execution, error) {
	return x.list(ctx,
		`runs r INDEXED BY runs_unfinished`+listed+`WHERE r.ended = 0 AND r.position > ? ORDER BY r.position LIMIT ?`,
		after, limit)
}

// Waiting returns how many executions have not begun, and when the oldest of them was queued, the zero time if
// there is none.
func (x *RunIndex) Waiting(ctx context.Context) (n int, oldest time.Time, err error) {
	var queued int64
	err = x.db.QueryRowContext(ctx,
		`SELECT count(*), ifnull(min(queued), 0) FROM runs INDEXED BY runs_unfinished WHERE ended = 0 AND claims = 0`).Scan(&n, &queued)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("counting executions that wait: %w", err)
	}
	return n, fromMicro(queued), nil
}

// UnfinishedOf returns the oldest unfinished executions of a flow in an instance, as of a position.
func (x *RunIndex) UnfinishedOf(ctx context.Context, instance, flow string, asOf store.Position,
	limit int) ([]Execution, error) {
	if err := x.Wait(ctx, asOf); err != nil {
		return nil, err
	}
	return x.list(ctx,
		`runs r INDEXED BY runs_unfinished`+listed+
			`WHERE r.ended = 0 AND s.instance = ? AND s.flow = ? ORDER BY r.position LIMIT ?`, instance, flow, limit)
}

// Requested returns the executions of a flow in an instance, queued before a position, whose retries a newer
// one for the same request may stop: those that have not ended and are not superseded already.
func (x *RunIndex) Requested(ctx context.Context, instance, flow, request string,
	before store.Position) ([]Execution, error) {
	if err := x.Wait(ctx, before); err != nil {
		return nil, err
	}
	return x.list(ctx, `requests q INDEXED BY requests_by_request CROSS JOIN runs r ON r.position = q.position`+listed+
		`WHERE q.request = ? AND q.position < ? AND s.instance = ? AND s.flow = ? ORDER BY q.position`, request, before,
		instance, flow)
}

// EndedSince returns the executions of an instance that were queued after a position and have not ended, or not
// before a time, in the order of the log.
func (x *RunIndex) EndedSince(ctx context.Context, instance string, since time.Time, after store.Position,
	limit int) ([]Execution, error) {
	return x.list(ctx,
		`sources s JOIN organizations o ON o.id = s.organization CROSS JOIN runs r INDEXED BY runs_by_source ON r.source = s.id
		WHERE s.instance = ? AND r.position > ? AND (r.ended = 0 OR r.ended >= ?) ORDER BY r.position LIMIT ?`,
		instance, after, micro(since), limit)
}

// Execution returns one execution of an organization.
func (x *RunIndex) Execution(ctx context.Context, organization, id string) (Execution, bool, error) {
	found, err := x.list(ctx, `runs r`+listed+`WHERE r.id = ? AND o.name = ?`, key(id), organization)
	if err != nil || len(found) == 0 {
		return Execution{}, false, err
	}
	return found[0], true, nil
}

func (x *RunIndex) list(ctx context.Context, from string, args ...any) (list []Execution, err error) {
	rows, err := x.db.QueryContext(ctx, `SELECT `+runColumns+` FROM `+from, args...)
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
	var id []byte
	var queued, started, ended int64
	err := rows.Scan(&id, &e.Organization, &e.Instance, &e.Integration, &e.Version, &e.Customer, &e.Flow,
		&e.FlowName, &e.Invoke, &e.Position, &queued, &started, &ended, &e.Result, &e.Error, &e.Claims)
	if e.ID = string(id); len(id) == len(uuid.Nil) {
		e.ID = uuid.UUID(id).String()
	}
	e.Test = e.Version == ""
	e.QueuedAt, e.StartedAt, e.EndedAt = fromMicro(queued), fromMicro(started), fromMicro(ended)
	return e, err
}

func fromMicro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
