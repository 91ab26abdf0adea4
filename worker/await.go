package worker

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// poll is how often an awaited run is loaded: announcements through Live may be lost.
const poll = time.Second

// whenEnded waits until a time for the end of a run, in whichever process it ends.
func (w *Worker) whenEnded(ctx context.Context, until time.Time, run string, ended waiter) (domain.Run, error) {
	look := time.NewTimer(min(poll, time.Until(until)))
	defer look.Stop()
	limit := func() *refusal.Error {
		return refusal.Exceed("HEDDLE_SYNC_TIMEOUT",
			"the execution goes on, but took longer than a synchronous caller waits: %s", w.SyncTimeout)
	}
	for {
		var state domain.Run
		select {
		case state = <-ended.here:
		case <-ended.there:
		case <-look.C:
			if !time.Now().Before(until) {
				w.Observer.limit(limit().Limit)
				return state, limit()
			}
			look.Reset(min(poll, time.Until(until)))
		case <-ctx.Done(): // the caller has gone, or the server stops
			return state, limit()
		}
		if state.Finished == nil {
			loaded, _, err := store.Load(ctx, w.Log, domain.Runs, run)
			if err != nil || loaded.Finished == nil {
				continue
			}
			state = loaded
		}
		return state, nil
	}
}

// answerWhenDone waits for the run's end and writes the synchronous answer.
func (q request) answerWhenDone(ctx context.Context, run string, ended waiter) {
	state, err := q.w.whenEnded(ctx, time.Now().Add(q.w.SyncTimeout), run, ended)
	if err != nil {
		reply(q.rw, http.StatusGatewayTimeout, map[string]any{"executionId": run, "error": err.Error()})
		return
	}
	q.answerEnded(ctx, state)
}

// answerEnded writes the synchronous answer of a run that has ended.
func (q request) answerEnded(ctx context.Context, r domain.Run) {
	if r.Finished.Result != domain.Completed {
		told := map[domain.ResultType]string{domain.Canceled: "the execution was canceled"}[r.Finished.Result]
		reply(q.rw, http.StatusInternalServerError,
			map[string]any{"executionId": r.ID, "error": cmp.Or(told, "the execution failed; see its result")})
		return
	}
	release, err := q.w.roomForAnswer(ctx, r)
	if err != nil {
		q.refuse(r.ID, err)
		return
	}
	defer release()
	a, err := q.w.answerOf(ctx, r)
	if err != nil {
		q.refuse(r.ID, err)
		return
	}
	a.write(q.rw)
}

// roomForAnswer waits for room for a run's answer if it is large: each is held in memory until its reader has taken
// it.
func (w *Worker) roomForAnswer(ctx context.Context, r domain.Run) (release func(), err error) {
	last := r.Last()
	if last == nil || last.Output.Size <= smallBody {
		return func() {}, nil
	}
	return w.outgo.enter(ctx, r.Queued.Instance, int64(last.Output.Size), w.MaxBodies, w.BodyTime)
}
