package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"modernc.org/quickjs"

	"heddle/component/value"
	"heddle/domain/refusal"
)

// userFrame finds a place in the user's code in a stack. The prelude evaluates that code under this file name;
// frames of the prelude itself have another one.
var userFrame = regexp.MustCompile(`<input>:(\d+)`)

type scriptError struct{ Name, Message, Stack string }

// outcome reads the answer of the prelude's result function.
func (r *execution) outcome(answer any) (any, error) {
	var out struct {
		Value    json.RawMessage
		Error    *scriptError
		TooLarge int
	}
	unreadable := refusal.New(refusal.Invalid,
		"the code changed how objects are written, such as by toJSON of Object.prototype; its result can't be read")
	text, _ := answer.(string)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, unreadable
	}
	switch {
	case out.Error != nil:
		return nil, r.refusal(*out.Error)
	case out.TooLarge > 0:
		return nil, refusal.Exceed("HEDDLE_SCRIPT_OUTPUT",
			"the code's result has %d characters as JSON; the limit is %d", out.TooLarge, r.limits.Output)
	}
	value, err := value.Decode(out.Value)
	if err != nil {
		return nil, unreadable
	}
	return value, nil
}

// explain turns an error of the engine into one for the author of the code.
func (r *execution) explain(err error) error {
	thrown, ok := errors.AsType[*quickjs.Error](err)
	if !ok {
		return fmt.Errorf("running code: %w", err)
	}
	if thrown.Name == "" && thrown.Error() == "null" {
		return r.tooBig() // thrown when the engine cannot even make an error
	}
	if thrown.Name == "InternalError" && thrown.Message == "interrupted" {
		return r.interrupted()
	}
	return r.refusal(scriptError{thrown.Name, thrown.Message, thrown.Stack})
}

func (r *execution) interrupted() error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return r.tooSlow()
}

func (r *execution) tooSlow() error {
	return refusal.Exceed("HEDDLE_SCRIPT_TIME", "the code took longer than %v", r.limits.Time.Round(time.Millisecond))
}

func (r *execution) tooBig() error {
	return refusal.Exceed("HEDDLE_SCRIPT_MEMORY", "the code needs more memory than %d MiB", r.limits.Memory>>20)
}

func (r *execution) refusal(e scriptError) error {
	if e.Name == "InternalError" && e.Message == "out of memory" {
		return r.tooBig()
	}
	message := e.Message
	switch {
	case e.Name == "" && message == "null":
		message = fmt.Sprintf("the code threw null, which can also mean that it needs more memory than %d MiB (HEDDLE_SCRIPT_MEMORY)", r.limits.Memory>>20)
	case e.Name != "" && e.Name != "Error":
		message = e.Name + ": " + message
	}
	if message == "" {
		message = "the code threw what has no message"
	}
	if place := userFrame.FindStringSubmatch(e.Stack); place != nil {
		message += " (line " + place[1] + ")"
	}
	return refusal.New(refusal.Invalid, "%s", message)
}
