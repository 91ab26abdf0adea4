package worker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"heddle/domain/refusal"
)

// smallBody is the size up to which a body needs no reservation: most bodies are smaller, and never wait.
const smallBody = 64 << 10 // bytes

// errBusy refuses a request for now: its sender may try again soon.
type errBusy struct {
	refusal *refusal.Error
	after   time.Duration
}

func (e *errBusy) Error() string { return e.refusal.Error() }
func (e *errBusy) Unwrap() error { return e.refusal }

// readBody reads the body of a request to a trigger, within its time. A large body is read once there is room among
// all that are being taken in, of which one instance has a share; release returns the room.
func (q request) readBody(instance string) (body []byte, release func(), err error) {
	w, r := q.w, q.r
	control := http.NewResponseController(q.rw)
	_ = control.SetReadDeadline(time.Now().Add(w.BodyTime)) // not supported in tests without a connection
	release = func() {}
	limited := http.MaxBytesReader(nil, r.Body, w.MaxBody)
	body, err = io.ReadAll(io.LimitReader(limited, smallBody))
	if err == nil && len(body) == smallBody {
		size := w.MaxBody
		if r.ContentLength >= 0 {
			size = min(size, r.ContentLength)
		}
		if release, err = w.intake.enter(r.Context(), instance, size, w.MaxBodies, w.BodyTime); err != nil {
			return nil, nil, err
		}
		body, err = readRest(body, limited, size)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	_ = control.SetReadDeadline(time.Time{}) // a synchronous caller may wait longer
	return body, release, nil
}

// readRest reads the rest of a body of about the given size.
func readRest(begin []byte, rest io.Reader, size int64) ([]byte, error) {
	body := make([]byte, len(begin), max(size, int64(len(begin)))+1)
	copy(body, begin)
	for {
		n, err := rest.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
}

// intakeShare is the fraction of all large bodies at once, 1/intakeShare, that one instance may have.
const intakeShare = 4

// intake counts the large bodies that are being read, or answered with, so that many at once do not take all
// memory.
type intake struct {
	mu    sync.Mutex
	held  int64            // bytes
	by    map[string]int64 // by instance
	freed chan struct{}    // closed when there is room again
	rates map[string]*rate.Limiter
}

// enter waits until there is room for a body, for at most patience. A body larger than the share of an instance
// counts as that share.
func (in *intake) enter(ctx context.Context, instance string, size, most int64, patience time.Duration,
) (leave func(), err error) {
	size = min(size, most/intakeShare)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		freed, entered := in.try(instance, size, most)
		if entered {
			return sync.OnceFunc(func() { in.leave(instance, size) }), nil
		}
		select {
		case <-freed:
		case <-timer.C:
			refused := refusal.Exceed("HEDDLE_MAX_BODIES",
				"too many large bodies are being taken in or answered with; try again")
			refused.Code = refusal.Unavailable
			return nil, &errBusy{refused, time.Second}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try reserves room if there is some. A single body always fits.
func (in *intake) try(instance string, size, most int64) (freed <-chan struct{}, entered bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.by == nil {
		in.by, in.freed = map[string]int64{}, make(chan struct{})
	}
	own := in.by[instance]
	if own > 0 && own+size > most/intakeShare || in.held > 0 && in.held+size > most {
		return in.freed, false
	}
	in.held, in.by[instance] = in.held+size, own+size
	return nil, true
}

func (in *intake) leave(instance string, size int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.held -= size
	if in.by[instance] -= size; in.by[instance] == 0 {
		delete(in.by, instance)
	}
	close(in.freed)
	in.freed = make(chan struct{})
}

// maxRates is how many instances' rates are remembered; when there are more, all are forgotten.
const maxRates = 10_000

// admit refuses a request of an instance that sends more than so many a second, 0 for any number.
func (in *intake) admit(instance string, perSecond int) error {
	if perSecond == 0 {
		return nil
	}
	in.mu.Lock()
	limiter := in.rates[instance]
	if limiter == nil {
		if in.rates == nil || len(in.rates) >= maxRates {
			in.rates = map[string]*rate.Limiter{}
		}
		limiter = rate.NewLimiter(rate.Limit(perSecond), perSecond)
		in.rates[instance] = limiter
	}
	in.mu.Unlock()
	if limiter.Allow() {
		return nil
	}
	refusal := refusal.Exceed("HEDDLE_TRIGGER_RATE", "the instance takes %d requests a second", perSecond)
	return &errBusy{refusal, time.Second}
}
