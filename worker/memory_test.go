package worker

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"heddle/component"
	"heddle/component/builtin"
	"heddle/domain"
	"heddle/store"
)

// heap is how many bytes are held.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one found in pools
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// longRun does a loop of so many iterations, each with a step that returns and logs so many bytes, and then another
// step whose result is small. It returns how much more memory is held at the end of the run than at its beginning.
func longRun(t testing.TB, iterations, size int) (held int) {
	log, err := store.OpenSQLite(filepath.Join(t.TempDir(), "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	h := newHarnessOver(t, log)
	h.MaxSteps = 3*iterations + 10
	type none struct{}
	says := strings.Repeat("x", size)
	many := component.NewAction("many", "Many", "Gives what to loop over.",
		func(context.Context, component.Step, none) (component.Result, error) {
			return component.Result{Items: make([]any, iterations)}, nil
		}).WithLoop()
	large := component.NewAction("large", "Large", "Gives and logs a text.",
		func(_ context.Context, step component.Step, _ none) (component.Result, error) {
			step.Log("info", says)
			return component.Result{Data: strings.Clone(says)}, nil
		})
	small := component.NewAction("small", "Small", "Gives nothing.",
		func(context.Context, component.Step, none) (component.Result, error) {
			return component.Result{}, nil
		})
	before := 0
	measure := component.NewAction("measure", "Measure", "Looks at what is held.",
		func(ctx context.Context, _ component.Step, _ none) (component.Result, error) {
			if err := h.Runs.Wait(ctx, h.Runs.Seen()); err != nil {
				return component.Result{}, err
			}
			held, before = heap()-before, heap()
			return component.Result{}, nil
		}).WithEffect()
	h.Components = component.New(append(builtin.Components(), component.Component{Key: "long", Label: "Long",
		Description: "For tests.",
		Actions:     []component.Action{many, large, small, measure}})...)
	one := func(name string) string {
		return "      - name: " + name +
			"\n        action: {component: {key: long, isPublic: true, version: LATEST}, key: " + name + "}\n"
	}
	loop := one("many") + indented("steps", one("large")+one("small"))
	_, urls := h.deploy(integrationOf(flow("Main", "", "", one("measure")+loop+strings.Replace(one("measure"),
		"name: measure", "name: after", 1))))
	h.start()
	r := h.ended(h.post(urls["Main"], "", "").Header().Get(ExecutionHeader))
	if len(r.Steps()) != 2*iterations+4 || r.Finished.Result != domain.Completed {
		t.Fatalf("%d steps, ended %+v", len(r.Steps()), r.Finished)
	}
	return held
}

// What a run holds in memory does not grow with what its steps have given and logged, and hardly with their number.
func TestLongRunIsNotHeldInMemory(t *testing.T) {
	const iterations, size = 3000, 7 << 10
	held := longRun(t, iterations, size)
	t.Logf("held %d KiB", held>>10)
	if held > iterations*size/10 {
		t.Errorf("%d KiB are held at the end of a run with %d KiB of results and as many of log lines", held>>10,
			iterations*size>>10)
	}
}

// As long a run as the default setting allows.
func BenchmarkLongRun(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(longRun(b, 50_000, 100)), "bytes-held")
	}
}
