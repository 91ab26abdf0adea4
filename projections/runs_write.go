package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// writing is the index writer's memory between transactions.
type writing struct {
	organizations map[string]int64
	sources       map[source]int64
	stepSets      map[string]int64
}

// remembered is how many ids of each kind are kept in memory.
const remembered = 1 << 16

func newWriting() writing {
	return writing{organizations: map[string]int64{}, sources: map[source]int64{}, stepSets: map[string]int64{}}
}

// source is the row that the runs of one flow of one instance share.
type source struct {
	organization                                                     int64
	instance, integration, version, customer, flow, flowName, invoke string
}

// transaction is one transaction of the index with its statements.
type transaction struct {
	*RunIndex
	ctx    context.Context
	tx     *sql.Tx
	insert *sql.Stmt
	texts  []text
}

// text is the searchable text of one run alone.
type text struct {
	position store.Position
	words    string
}

// indexWriter writes what was gathered into the index.
type indexWriter struct{ x *RunIndex }

// put writes the gathered records. It reads everything from elsewhere before it locks the file for writing: an
// unreachable log blocks neither queries nor retention.
func (w indexWriter) put(ctx context.Context, g *gathered) error {
	for rest := g.order; ; {
		n, size := 0, 0
		for ; n < len(rest) && size < gatherSize; n++ {
			if err := w.x.inTime(ctx, func() error { return w.collect(ctx, rest[n]) }); err != nil {
				return fmt.Errorf("run %s: %w", rest[n].id, err)
			}
			size += len(rest[n].words)
		}
		last := n == len(rest)
		if err := w.x.inTime(ctx, func() error { return w.apply(ctx, g, rest[:n], last) }); err != nil || last {
			return err
		}
		for _, run := range rest[:n] {
			run.words = "" // there may be many
		}
		rest = rest[n:]
	}
}

// collect reads the data for a run's row. It reads the stream of a run that began in an earlier transaction.
// The stream may be ahead: then the row is too, and is written again.
func (w indexWriter) collect(ctx context.Context, run *touched) (err error) {
	if !run.dirty || run.collected {
		return nil
	}
	if run.position == 0 {
		err := w.x.db.QueryRowContext(ctx, `SELECT position FROM runs WHERE id = ?`, key(run.id)).Scan(&run.position)
		run.old = true
		if err == nil {
			run.run, err = w.load(ctx, run.id)
		}
		if errors.Is(err, sql.ErrNoRows) || refusal.CodeOf(err) == refusal.NotFound {
			run.dirty = false // forgotten or removed meanwhile
			return nil
		}
		if err != nil {
			run.position = 0
			return err
		}
	}
	if run.run.Finished != nil {
		run.names, run.words = w.words(ctx, run.run)
	}
	run.collected = true
	return nil
}

// apply writes some runs in one transaction, and the checkpoint with the last ones. It ignores cancellation: it
// is short, and watching a context costs more than many statements.
func (w indexWriter) apply(ctx context.Context, g *gathered, runs []*touched, last bool) (err error) {
	ctx = context.WithoutCancel(ctx)
	w.x.writer.Lock()
	defer w.x.writer.Unlock()
	tx, err := w.x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.x.write = newWriting() // its memory may be ahead of the file
			_ = tx.Rollback()        // err says what happened
		}
	}()
	t := &transaction{RunIndex: w.x, ctx: ctx, tx: tx}
	if t.insert, err = tx.PrepareContext(ctx,
		`INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`); err != nil {
		return err
	}
	for _, run := range runs {
		if err := t.put(run); err != nil {
			return fmt.Errorf("run %s: %w", run.id, err)
		}
	}
	if err := t.putTexts(); err != nil {
		return fmt.Errorf("texts: %w", err)
	}
	if !last {
		return tx.Commit()
	}
	if err := t.putAuditRecords(g.audit); err != nil {
		return fmt.Errorf("acts: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?)`, g.last.Position,
		g.last.ID[:], g.last.Stream); err != nil {
		return err
	}
	return tx.Commit()
}

// index creates the indexes that are missing.
func (w indexWriter) index(ctx context.Context) error {
	w.x.writer.Lock()
	defer w.x.writer.Unlock()
	_, err := w.x.db.ExecContext(ctx, runIndexes+auditIndexes)
	return err
}

// put writes the row of a run.
func (t *transaction) put(run *touched) error {
	if !run.dirty {
		return nil
	}
	r, position := run.run, run.position
	if run.old {
		var there bool
		if err := t.tx.QueryRowContext(t.ctx, `SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?)`,
			key(run.id)).Scan(&there); err != nil || !there {
			return err // it was forgotten meanwhile
		}
	}
	organization, err := t.organization(r.Organization)
	if err != nil {
		return err
	}
	from, err := t.source(source{organization, r.Queued.Instance, r.Queued.Integration, r.Queued.Version,
		r.Queued.Customer, r.Queued.Flow, r.Queued.FlowName, string(r.Queued.Invoke)})
	if err != nil {
		return err
	}
	if r.Queued.Request != "" {
		if err := t.request(position, r); err != nil {
			return err
		}
	}
	var steps int64
	var end domain.RunFinished
	if r.Finished != nil {
		end = *r.Finished
		if len(run.names) > 0 {
			if steps, err = t.stepSet(strings.Join(run.names, "\n")); err != nil {
				return err
			}
		}
		if run.words != "" {
			t.texts = append(t.texts, text{position, run.words + strings.Join(run.names, "\n")})
		}
	}
	at := r.StartedAt
	if at.IsZero() {
		at = r.QueuedAt
	}
	_, err = t.insert.ExecContext(t.ctx, position, key(run.id), organization, from, steps, micro(at), micro(r.QueuedAt),
		micro(r.StartedAt), micro(r.FinishedAt), string(end.Result), end.Error, end.Result == domain.Failed ||
			end.Error != "", r.Claims)
	return err
}

// request writes a run's request as long as it may matter to a newer one.
func (t *transaction) request(position store.Position, r domain.Run) error {
	statement, args := `INSERT OR REPLACE INTO requests VALUES (?, ?)`, []any{position, r.Queued.Request}
	if r.Finished != nil || r.SupersededBy != "" {
		statement, args = `DELETE FROM requests WHERE position = ?`, args[:1]
	}
	_, err := t.tx.ExecContext(t.ctx, statement, args...)
	return err
}

// load reads a run's stream.
func (w indexWriter) load(ctx context.Context, id string) (r domain.Run, err error) {
	logged := 0
	for rec, err := range store.Own(w.x.log.Read(ctx, domain.Runs.Stream(id), 0)) {
		if err != nil {
			return r, fmt.Errorf("%w: %w", errUnread, err)
		}
		meta, err := store.MetaOf(rec)
		if err == nil {
			r, err = w.x.evolve(r, rec, meta, &logged)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// words are the terms that an ended run is found by: the names of its steps, which it shares with others, and
// its own errors and log lines.
func (w indexWriter) words(ctx context.Context, r domain.Run) (names []string, words string) {
	var own strings.Builder
	left := maxNames
	add := func(text string) {
		if own.Len() < maxWords {
			own.WriteString(text)
			own.WriteByte('\n')
		}
	}
	for _, s := range r.Steps() {
		if !slices.Contains(names, s.Name) && left >= len(s.Name) {
			names = append(names, s.Name)
			left -= len(s.Name)
		}
		if s.Error != "" {
			add(s.Error)
		}
		for _, line := range w.lines(ctx, s) {
			add(line.Message)
		}
	}
	if r.Finished.Error != "" {
		add(r.Finished.Error)
	}
	return names, own.String()
}

// putTexts writes all texts at once: FTS5 flushes a segment at every savepoint that another statement opens,
// such as one that replaces.
func (t *transaction) putTexts() error {
	insert, err := t.tx.PrepareContext(t.ctx, `INSERT OR REPLACE INTO texts (rowid, words) VALUES (?, ?)`)
	if err != nil {
		return err
	}
	for _, one := range t.texts {
		if _, err := insert.ExecContext(t.ctx, one.position, one.words); err != nil {
			return err
		}
	}
	return insert.Close()
}

// The searchable size of one run; the rest is only in its log.
const (
	maxWords = 64 << 10 // bytes of errors and log lines
	maxNames = 16 << 10 // bytes of the names of steps
)

// lines returns a step's log lines. Unreadable ones are left out: they must not block the index.
func (w indexWriter) lines(ctx context.Context, s domain.StepFinished) []domain.LogLine {
	if s.LogBlob == nil || w.x.Blobs == nil {
		return s.Log
	}
	var lines []domain.LogLine
	data, err := w.x.Blobs.Load(ctx, *s.LogBlob)
	if err == nil {
		err = json.Unmarshal(data, &lines)
	}
	if err != nil && refusal.CodeOf(err) != refusal.NotFound {
		w.x.logger.Warn("log lines can't be searched for", "blob", s.LogBlob.Blob, "error", err)
	}
	return lines
}

func (t *transaction) organization(name string) (int64, error) {
	return number(t, t.write.organizations, name, `SELECT id FROM organizations WHERE name = ?`,
		`INSERT INTO organizations (name) VALUES (?)`, name)
}

func (t *transaction) source(s source) (int64, error) {
	return number(t, t.write.sources, s,
		`SELECT id FROM sources WHERE organization = ? AND instance = ? AND integration = ? AND version = ? AND customer = ?
			AND flow = ? AND flow_name = ? AND invoke = ?`,
		`INSERT INTO sources (organization, instance, integration, version, customer, flow, flow_name, invoke) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		s.organization, s.instance, s.integration, s.version, s.customer, s.flow, s.flowName, s.invoke)
}

func (t *transaction) stepSet(names string) (int64, error) {
	return number(t, t.write.stepSets, names, `SELECT id FROM step_sets WHERE names = ?`,
		`INSERT INTO step_sets (names) VALUES (?)`, names)
}

// number returns the id of a name that many runs share, and assigns one to a new name.
func number[K comparable](t *transaction, known map[K]int64, k K, find, insert string,
	args ...any) (id int64, err error) {
	if id, ok := known[k]; ok {
		return id, nil
	}
	err = t.tx.QueryRowContext(t.ctx, find, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		var done sql.Result
		if done, err = t.tx.ExecContext(t.ctx, insert, args...); err == nil {
			id, err = done.LastInsertId()
		}
	}
	if err != nil {
		return 0, err
	}
	if len(known) >= remembered {
		clear(known)
	}
	known[k] = id
	return id, nil
}

// key is a run's id as the file holds it: UUIDs, and all but those of tests are, take 16 bytes.
func key(id string) any {
	if u, err := uuid.Parse(id); err == nil && u.String() == id {
		return u[:]
	}
	return id
}

func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
