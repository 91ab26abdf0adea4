package store

import (
	"testing"

	"go.opentelemetry.io/otel/trace"

	"heddle/domain"
)

// An event names the trace that it was made in, if any, and its readers can continue it.
func TestEventsNameTheirTrace(t *testing.T) {
	log := NewMemory()
	t.Cleanup(func() { _ = log.Close() })
	ctx := As(t.Context(), Author{Organization: "org", Actor: "ann"})
	for id, want := range map[string]string{"untraced": "",
		"traced":    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"unsampled": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"} {
		run, _, err := Change(InTrace(ctx, want), log, domain.Runs, id,
			func(r domain.Run) (domain.Changes[domain.Run], error) {
				return r.Queue(domain.RunQueued{Instance: "i"})
			})
		if err != nil || run.Trace != want {
			t.Errorf("%s: the run is in trace %q, %v", id, run.Trace, err)
		}
		again, _, err := Load(ctx, log, domain.Runs, id)
		if err != nil || again.Trace != want {
			t.Errorf("%s: read again, it is in trace %q, %v", id, again.Trace, err)
		}
		if got := trace.SpanContextFromContext(InTrace(ctx, again.Trace)); got.IsValid() != (want != "") ||
			got.IsValid() && got.SpanID().String() != "00f067aa0ba902b7" {
			t.Errorf("%s: it goes on in %v", id, got)
		}
	}
	for _, broken := range []string{"garbage", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-"} {
		if got := trace.SpanContextFromContext(InTrace(ctx, broken)); got.IsValid() {
			t.Errorf("%q makes %v", broken, got)
		}
	}
}
