package worker

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/live"
)

// waiter hears of a run's end: with its state when this process ended it, without when another did.
type waiter struct {
	here  chan domain.Run
	there <-chan []byte
	stop  func()
}

// await listens for a run's end.
func (w *Worker) await(run string) waiter {
	there, stop := w.Live.Subscribe(live.EndTopic(run))
	a := waiter{here: make(chan domain.Run, 1), there: there}
	w.mu.Lock()
	w.waiting[run] = a.here
	w.mu.Unlock()
	a.stop = func() {
		stop()
		w.mu.Lock()
		if w.waiting[run] == a.here {
			delete(w.waiting, run)
		}
		w.mu.Unlock()
	}
	return a
}

// tell tells those who wait for a run of its end: a caller here or, unless that is the only one there
// can be, those of other processes.
func (w *Worker) tell(ctx context.Context, r domain.Run) error {
	if !r.Queued.Synchronous {
		return nil // nobody waits
	}
	w.mu.Lock()
	here := w.waiting[r.ID]
	w.mu.Unlock()
	if here != nil {
		select {
		case here <- r:
		default: // it knows
		}
		if r.Queued.Digest == "" { // a delivery that comes again may be waited for elsewhere
			return nil
		}
	}
	return w.Live.Publish(ctx, live.EndTopic(r.ID), nil)
}

// poll is how often a run is looked for whose end is waited for: what Live tells may be lost.
const poll = time.Second

// whenEnded waits until a time for a run's end, however the run came to it.
func (w *Worker) whenEnded(ctx context.Context, until time.Time, run string, ended waiter) (domain.Run, error) {
	look := time.NewTimer(min(poll, time.Until(until)))
	defer look.Stop()
	limit := func() *refusal.Error {
		return refusal.Exceed("HEDDLE_SYNC_TIMEOUT", "the execution goes on, but took longer than a synchronous caller waits: %s", w.SyncTimeout)
	}
	for {
		var state domain.Run
		select {
		case state = <-ended.here:
		case <-ended.there:
		case <-look.C:
			if !time.Now().Before(until) {
				w.Told.limit(limit().Limit)
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

// answerWhenDone gives a synchronous caller the run's result.
func (w *Worker) answerWhenDone(ctx context.Context, rw http.ResponseWriter, run string, ended waiter) {
	state, err := w.whenEnded(ctx, time.Now().Add(w.SyncTimeout), run, ended)
	if err != nil {
		reply(rw, http.StatusGatewayTimeout, map[string]any{"executionId": run, "error": err.Error()})
		return
	}
	w.answerEnded(ctx, rw, state)
}

// answerEnded tells a synchronous caller how a run ended.
func (w *Worker) answerEnded(ctx context.Context, rw http.ResponseWriter, r domain.Run) {
	if r.Finished.Result != domain.Completed {
		told := map[domain.ResultType]string{domain.Canceled: "the execution was canceled"}[r.Finished.Result]
		reply(rw, http.StatusInternalServerError, map[string]any{"executionId": r.ID, "error": cmp.Or(told, "the execution failed; see its result")})
		return
	}
	release, err := w.roomForAnswer(ctx, r)
	if err != nil {
		w.refuse(rw, r.ID, err)
		return
	}
	defer release()
	a, err := w.answerOf(ctx, r)
	if err != nil {
		w.refuse(rw, r.ID, err)
		return
	}
	a.write(rw)
}

// roomForAnswer waits, if a run's answer is large, until there is room for it among others: each is held until its
// reader has taken it.
func (w *Worker) roomForAnswer(ctx context.Context, r domain.Run) (release func(), err error) {
	last := r.Last()
	if last == nil || last.Output.Size <= smallBody {
		return func() {}, nil
	}
	return w.outgo.enter(ctx, r.Queued.Instance, int64(last.Output.Size), w.MaxBodies, w.BodyTime)
}
