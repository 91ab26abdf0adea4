// Package component is the plug-in API of actions and triggers, and their registry: everything that Heddle can
// do in a step goes through it. Package builtin has one file for each component that comes with Heddle.
package component

import (
	"context"
	"net/http"
)

// Component is a named set of actions and triggers.
type Component struct {
	Key         string
	Label       string
	Description string
	Category    string // a heading of the catalogue, such as "Logic" or "Data"
	Actions     []Action
	Triggers    []Trigger

	// stub, if set, answers for every action and trigger that is not listed, see [Stub].
	stub *Result
}

// Action is one kind of work of a step. Make it with [NewAction], which reads the inputs off the fields of a
// struct, and set its properties with [Action.WithEffect] and its kin.
type Action struct {
	Key         string
	Label       string
	Description string
	Inputs      []Input
	// Effect says that performing it reaches outside the run's own stream: earlier results must be durable
	// first, and it may be repeated after a crash under the same idempotency key.
	Effect bool
	// Branches says that the result's Branch names which of the step's branches to run.
	Branches bool
	// Stop ends the run after this step, as a success.
	Stop bool
	// Loop says that the step's own steps run once for each of the result's Items.
	Loop bool
	// Break ends the innermost loop that the step is in.
	Break bool
	// Perform does the work. A [refusal.Error] of a bad input names the input as its field.
	Perform func(ctx context.Context, step Step, inputs map[string]any) (Result, error)
}

// Trigger begins the runs of a flow. Make it with [NewTrigger] or [NewPerformedTrigger].
type Trigger struct {
	Key         string
	Label       string
	Description string
	Inputs      []Input
	Start       Start
	// StartInput names the input that, if its value is true, makes each deploy of the instance start the flow,
	// too; see [Trigger.Deploys]. Empty for none.
	StartInput string
	// Receive converts a delivery to the trigger step's result and, if its Response is set, to the immediate
	// answer for an asynchronous caller.
	Receive func(ctx context.Context, payload map[string]any, inputs map[string]any) (Result, error)
	// Perform, if set, replaces Receive if that needs a step. For a request it is called once, before the run
	// is accepted: if it refuses as UNAUTHENTICATED or FORBIDDEN, there will be none.
	Perform func(ctx context.Context, step Step, payload map[string]any, inputs map[string]any) (Result, error)
	// Raw says that Perform authorizes callers by the raw request: the payload has its body as a value only
	// once Perform has returned.
	Raw bool
}

// Start says what makes the runs of a flow begin.
type Start string

// The ways a trigger starts runs. Each may be started by a request to its URL, too.
const (
	StartWebhook  Start = ""         // a request to the flow's URL
	StartSchedule Start = "schedule" // the schedule beside the trigger's action
	StartDeploy   Start = "deploy"   // each deploy of the instance
	StartRemove   Start = "remove"   // the removal of the instance
)

// Input describes one input of an action or trigger.
type Input struct {
	Key         string
	Label       string
	Description string
	Type        string // "string", "number", "boolean", "data", "code", "connection", "list", "keyvalue", "conditions"
	Default     string
	Required    bool
	Options     []string // the values allowed, empty for any
}

// Result is the outcome of a step. Only Data is visible to later steps, as "<step>.results".
type Result struct {
	Data        any
	ContentType string            // of Data, if it is the answer to a synchronous caller
	StatusCode  int               // HTTP status for a synchronous caller, 0 for the default
	Headers     map[string]string // HTTP headers for a synchronous caller
	Branch      string            // for actions with Branches and for triggers: the branch to run
	Items       []any             // for actions with Loop: the items to run the step's own steps for
	Response    *Response         // for triggers: the answer to an asynchronous caller, nil for the default
}

// Response is the answer of a trigger to an asynchronous caller. Empty fields mean the defaults.
type Response struct {
	StatusCode  int
	ContentType string
	Headers     map[string]string
	Body        string
}

// Step is the run as a step sees it; the worker provides it.
type Step interface {
	// IdempotencyKey is the same at every attempt of this step in this run and iteration.
	IdempotencyKey() string
	// ID is the step's own, the same in every run and iteration.
	ID() string
	// BeginEffect must be called before the step first reaches outside the run, unless its action is marked as one
	// with an effect: it makes earlier results durable, and the step's own once there is one.
	BeginEffect() error
	// Log adds a line to the run's log. Levels: "trace", "debug", "info", "warn", "error", "fatal", "metric".
	Log(level, message string)
	// State returns the persisted values of one scope.
	State(scope Scope) State
	// Script runs a JavaScript function value with arguments and returns its awaited result, as plain values.
	Script(ctx context.Context, call ScriptCall) (any, error)
	// HTTP is the guarded client: it refuses private addresses that the configuration does not allow.
	HTTP() *http.Client
	// Facts are the context of scripts: executionId, customer, instance, integration, flow, user, webhookUrls,
	// configVars, startedAt and so on.
	Facts() map[string]any
	// Results are the step results for scripts: by step identifier, {results, currentItem?, index?}.
	Results() map[string]any
	// Payload is the result of the flow's trigger.
	Payload() any
	// Invoke starts the flow of that name in the same instance, like a request to its trigger with the data as
	// its JSON body, and returns the answer: {"executionId": …}, or the result of a synchronous flow. Without a
	// name it is the step's own flow, which is not waited for. A step that is repeated after a crash starts
	// nothing twice.
	Invoke(ctx context.Context, flow string, data any) (any, error)
}

// ScriptCall is one call into the script engine.
type ScriptCall struct {
	// Source is a module that assigns module.exports, or an expression that yields a function.
	Source string
	// Args are the arguments, plain values as in package value.
	Args []any
	// Log receives the script's output from console and from its context's logger.
	Log func(level, message string)
	// HTTP makes the requests of the script's fetch; nil if it may make none. BeginEffect is called before each, see
	// [Step].
	HTTP        *http.Client
	BeginEffect func() error
	// Context, if not nil, says that the first argument is a step context: the script finds a logger in it, and
	// the result is {"value": the function's result, "context": {…}}, whose context has the properties that are
	// named here as the function left them. So code can change the state objects of its context. Without it the
	// result is the value alone.
	Context []string
}

// Scope says who shares a persisted value.
type Scope string

// The scopes of persisted values. Source: the format's persist-data component.
const (
	ExecutionScope   Scope = "execution"
	FlowScope        Scope = "flow"
	CrossFlowScope   Scope = "crossFlow"
	IntegrationScope Scope = "integration"
)

// State is one scope's persisted values.
type State interface {
	Get(ctx context.Context, key string) (value any, found bool, err error)
	All(ctx context.Context) (map[string]any, error)
	Set(ctx context.Context, key string, value any) error
	Remove(ctx context.Context, key string) error
	// Update sets a key to the result of change on the existing value, so that no write by another run gets
	// lost in between; change may be called more than once. A repeated step changes nothing and gets the value
	// that it has set.
	Update(ctx context.Context, key string, change func(old any, found bool) (any, error)) (any, error)
}
