// Package script runs the JavaScript of steps in engines of their own, bounded in time, memory and output.
package script

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/quickjs"

	"heddle/component"
	"heddle/component/value"
	"heddle/domain/refusal"
)

// Limits bound one call into the script engine. Messages about an exceeded limit use the names of the configuration.
type Limits struct {
	Time     time.Duration // HEDDLE_SCRIPT_TIME: from the start of the call, waiting included
	Memory   int           // HEDDLE_SCRIPT_MEMORY, bytes of the engine's heap
	Output   int           // HEDDLE_SCRIPT_OUTPUT, characters of the result as JSON
	LogLine  int           // characters of a log line; the rest is cut off
	LogLines int           // lines of log; the rest is counted and dropped
	// Grace is how long after its time, or the end of its context, a call may take to stop. Some operations of
	// the engine can't be interrupted: after that the call is given up, and its processor time lost.
	Grace time.Duration
}

// DefaultLimits are the limits unless the configuration sets others.
var DefaultLimits = Limits{
	Time: 10 * time.Second, Memory: 64 << 20, Output: 16 << 20, LogLine: 4096, LogLines: 1000, Grace: time.Second,
}

var (
	//go:embed prelude.js
	preludeSource string
	//go:embed web.js
	webSource string
	//go:embed buffer.js
	bufferSource string
	//go:embed fetch.js
	fetchSource string

	// They are compiled once: parsing takes longer than most scripts run.
	prelude = sync.OnceValues(func() ([]byte, error) { return compile("hostNames, limits", preludeSource) })
	web     = sync.OnceValues(func() ([]byte, error) {
		return compile("host, limits", webSource+bufferSource+fetchSource)
	})
)

func compile(parameters, source string) ([]byte, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, fmt.Errorf("starting the script engine: %w", err)
	}
	defer vm.Close()
	code, err := vm.Compile("(function ("+parameters+") { 'use strict';\n"+source+"\n})", quickjs.EvalGlobal)
	if err != nil {
		return nil, fmt.Errorf("compiling the script prelude: %w", err)
	}
	return code, nil
}

// webNames matches a script that may need the functions of the web: half of the prelude, which most scripts do not
// use. Scripts that look up names in other ways get them all, and so do those that receive binary data.
var webNames = regexp.MustCompile(`btoa|require|localeCompare|Buffer|atob|Text(En|De)coder|crypto|structuredClone|URL|fetch|Headers|Request|Response|Abort|globalThis|eval|Function|constructor|\\[ux]`)

// ErrGivenUp reports a call that did not stop. It goes on in the background, for nobody.
var ErrGivenUp = errors.New("the code could not be stopped")

// Run runs a function in an engine of its own and returns its awaited result. Arguments and result are plain values
// as in package value; binary data is a Buffer in the script. Beyond those, dates become ISO text, maps objects,
// sets lists; NaN and undefined become nil; functions are left out. An error that the code is to blame for is a
// refusal that names the line.
func Run(ctx context.Context, call component.ScriptCall, limits Limits) (any, error) {
	return new(Pool).Run(ctx, call, limits)
}

// Pool runs scripts.
type Pool struct {
	Lost atomic.Int64 // calls that were given up and have not ended
}

// Run runs a function as [Run] does, and counts a call that does not stop.
func (s *Pool) Run(ctx context.Context, call component.ScriptCall, limits Limits) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	args, err := value.Encode(call.Args)
	if err != nil {
		return nil, err
	}
	names, err := json.Marshal(call.Context)
	if err != nil {
		return nil, err
	}
	run, err := newScriptRun(ctx, call, limits)
	if err != nil {
		return nil, err
	}
	var result any
	done := make(chan struct{})
	go func() {
		defer close(done)
		result, err = run.do(call.Source, string(args), string(names))
		run.close()
	}()
	late := time.NewTimer(limits.Time + limits.Grace)
	defer late.Stop()
	select {
	case <-done:
		return result, err
	case <-late.C:
	case <-ctx.Done():
		late.Reset(limits.Grace)
		select {
		case <-done:
			return result, err
		case <-late.C:
		}
	}
	return nil, s.giveUp(run, done)
}

// giveUp abandons a call that does not stop: what it still does reaches nobody.
func (s *Pool) giveUp(run *execution, done <-chan struct{}) error {
	run.log.drop()
	s.Lost.Add(1)
	go func() {
		<-done
		s.Lost.Add(-1)
	}()
	if run.ctx.Err() != nil {
		return fmt.Errorf("%w; %w", context.Cause(run.ctx), ErrGivenUp)
	}
	return fmt.Errorf("%w; %w", run.tooSlow(), ErrGivenUp)
}

// execution is one call into a VM of its own. A VM is not used twice: after running out of memory it
// is of no use, and what a script leaves behind must not meet another one.
type execution struct {
	ctx     context.Context
	limits  Limits
	ends    time.Time
	vm      *quickjs.VM
	driver  map[string]quickjs.Value
	log     *scriptLog
	fetch   *scriptFetch
	stopped chan struct{}
	watcher sync.WaitGroup
}

func newScriptRun(ctx context.Context, call component.ScriptCall, limits Limits) (*execution, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, fmt.Errorf("starting the script engine: %w", err)
	}
	vm.SetMemoryLimit(uintptr(limits.Memory))
	r := &execution{
		ctx: ctx, limits: limits, ends: time.Now().Add(limits.Time), vm: vm,
		driver: map[string]quickjs.Value{}, log: &scriptLog{to: call.Log, limits: limits}, stopped: make(chan struct{}),
	}
	r.fetch = newScriptFetch(ctx, call, limits, r.ends)
	r.watcher.Go(r.watch)
	return r, nil
}

// watch interrupts the VM once the context ends. It does so again and again, because each call from
// Go into the VM starts by clearing an interrupt.
func (r *execution) watch() {
	select {
	case <-r.stopped:
		return
	case <-r.ctx.Done():
	}
	for {
		r.vm.Interrupt()
		select {
		case <-r.stopped:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func (r *execution) close() {
	close(r.stopped)
	r.watcher.Wait()
	r.fetch.close()
	for _, f := range r.driver {
		f.Free()
	}
	_ = r.vm.Close() // it never fails
	r.log.end()
}

func (r *execution) do(source, args, names string) (result any, err error) {
	defer func() {
		// The engine is translated C; a fault in it is a panic here and must not take the worker along.
		if p := recover(); p != nil {
			err = fmt.Errorf("the script engine failed: %v", p)
		}
	}()
	if err := r.load(webNames.MatchString(source) || strings.Contains(args, `"$bytes"`)); err != nil {
		return nil, err
	}
	if _, err := r.call("start", source, args, names); err != nil {
		return nil, err
	}
	if err := r.wait(); err != nil {
		return nil, err
	}
	answer, err := r.call("result")
	if err != nil {
		return nil, err
	}
	return r.outcome(answer)
}

// wait runs the script's jobs, timers and requests until its function is done.
func (r *execution) wait() error {
	for {
		if err := r.drain(); err != nil {
			return err
		}
		next, err := r.call("next")
		if err != nil {
			return err
		}
		pause := milliseconds(next)
		switch {
		case pause == scriptDone:
			return nil
		case pause < 0 && r.fetch.open == 0:
			return refusal.New(refusal.Invalid, "the code waits for a promise that nothing is left to settle")
		}
		if err := r.happen(pause); err != nil {
			return err
		}
	}
}

// happen waits for the next timer, if there is one, or for the answer to a request, and passes it to the script.
func (r *execution) happen(pause time.Duration) error {
	until := time.Until(r.ends)
	if pause >= 0 {
		until = min(until, pause)
	}
	timer := time.NewTimer(until)
	defer timer.Stop()
	select {
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	case answer := <-r.fetch.answers:
		r.fetch.open--
		_, err := r.call("settle", answer.id, answer.json)
		return err
	case <-timer.C:
	}
	if err := r.arm(); err != nil || pause < 0 {
		return err
	}
	_, err := r.call("fire")
	return err
}

const scriptDone = -1 * time.Millisecond

func milliseconds(v any) time.Duration {
	switch x := v.(type) {
	case int:
		return time.Duration(x) * time.Millisecond
	case float64:
		return time.Duration(x * float64(time.Millisecond))
	}
	return -2 * time.Millisecond
}

// drain runs all jobs that are due. The engine stops after a million of them to ask whether to go on; it does,
// since the limit is time.
func (r *execution) drain() error {
	for {
		if err := r.arm(); err != nil {
			return err
		}
		_, err := r.vm.ExecutePendingJobs()
		if err == nil {
			return nil
		}
		if _, thrown := errors.AsType[*quickjs.Error](err); thrown {
			return r.explain(err)
		}
	}
}

// arm limits the next call into the VM to the time that is left.
func (r *execution) arm() error {
	left := time.Until(r.ends)
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if left <= 0 {
		return r.tooSlow()
	}
	return r.vm.SetEvalTimeout(left)
}

func (r *execution) call(function string, args ...any) (any, error) {
	if err := r.arm(); err != nil {
		return nil, err
	}
	answer, err := r.driver[function].Call(quickjs.UndefinedValue, args...)
	if err != nil {
		return nil, r.explain(err)
	}
	return answer, nil
}
