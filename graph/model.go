package graph

import (
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"heddle/component"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/projections"
)

// The types of the schema that are the domain's own.
type (
	Organization = domain.Organization
	User         = domain.User
	Customer     = domain.Customer
	Instance     = domain.Instance
)

// Integration is an integration's draft, or one of its published versions.
type Integration struct {
	integration domain.Integration
	version     *domain.Version // nil for the draft
	past        *domain.Draft   // of the past: the main draft as it was, if it was there
	draft       *domain.Draft   // what a subscription has seen of the draft, to tell whether it has changed
}

// ID is the integration's, or the version's.
func (i Integration) ID() string {
	if i.version != nil {
		return i.version.ID
	}
	return i.integration.ID
}

// Attachment is a file that is kept with an integration.
type Attachment struct {
	integration domain.Integration
	domain.Attachment
}

// IntegrationFlow is a flow of a definition.
type IntegrationFlow struct {
	of   Integration
	flow *definition.Part
	r    *Resolver
}

// ID is another one in each version, as what the flow says is.
func (f IntegrationFlow) ID() string { return domain.PartID(f.of.ID(), f.flow.ID) }

// Part is the flow's, the same in every version.
func (f IntegrationFlow) Part() string { return f.flow.ID }

// Name is the flow's name in this version.
func (f IntegrationFlow) Name() string { return f.flow.Name() }

// StableKey is the flow's identity in the file, if any.
func (f IntegrationFlow) StableKey() *string { return optional(f.flow.Text("stableKey")) }

// Description returns the flow's description in the file.
func (f IntegrationFlow) Description() *string { return optional(f.flow.Text("description")) }

// IsSynchronous reports whether callers wait for the flow's result.
func (f IntegrationFlow) IsSynchronous() bool { return f.flow.Flag("isSynchronous") }

// Trigger is the step that starts the flow; a draft's may not be there yet.
func (f IntegrationFlow) Trigger() IntegrationAction {
	step, id := f.flow.Trigger(), domain.DeriveID("no trigger", f.flow.ID)
	if step != nil {
		id = step.ID
	}
	action := f.action(step)
	return IntegrationAction{ID: domain.PartID(f.of.ID(), id), Action: &action}
}

// action returns a trigger's action, as the catalogue has it, or else as the flow names it.
func (f IntegrationFlow) action(trigger *definition.Part) Action {
	ref, support, polls := definition.ActionRef{}, ActionScheduleSupportInvalid, false
	if trigger != nil {
		ref = trigger.Action()
		if known, ok := f.r.trigger(ref); ok {
			return known
		}
		if ref.Component == scheduleComponent || trigger.Map("schedule") != nil { // what needs a schedule has one
			support, polls = ActionScheduleSupportRequired, ref.Component != scheduleComponent
		}
	}
	of := Component{component.Component{Key: ref.Component, Label: ref.Component}}
	if known, ok := f.r.Components.Component(ref.Component); ok {
		of = Component{known}
	}
	return Action{of: of, flow: &f, trigger: true, Key: ref.Key, Label: ref.Key, ScheduleSupport: &support,
		IsPollingTrigger: &polls}
}

// scheduleComponent has the trigger that only a schedule fires. Source: existing clients.
const scheduleComponent = "schedule-triggers"

// InstanceFlowConfig is a flow of an instance.
type InstanceFlowConfig struct {
	instance domain.Instance
	Flow     IntegrationFlow
}

// ID is the one in the trigger's URL.
func (c InstanceFlowConfig) ID() string { return domain.PartID(c.instance.ID, c.Flow.flow.ID) }

// InstanceConfigVariable is a config variable of a definition with what an instance says for it.
type InstanceConfigVariable struct {
	instance domain.Instance
	variable *definition.Part
	set      domain.ConfigValue
	isSet    bool
}

// RequiredConfigVariable is a config variable of a definition.
type RequiredConfigVariable struct {
	of       string // the version, or the integration for its draft
	variable *definition.Part
}

// APIToken is a token and whose it is.
type APIToken struct {
	domain.Token
	User domain.User
}

// RevokedAt is when the token ended, nil while it is valid.
func (t APIToken) RevokedAt() *time.Time { return optionalTime(t.Token.RevokedAt) }

// InstanceExecutionResult is an execution as the index knows it, or as its stream tells.
type InstanceExecutionResult struct{ projections.Execution }

// InstanceStepResult is a finished step of an execution.
type InstanceStepResult struct {
	run  string
	step domain.StepFinished
}

// ExecutionEvent is an event of an execution with the execution after it.
type ExecutionEvent struct {
	ID              string
	Cursor          string
	Type            ExecutionEventType
	Timestamp       time.Time
	StepResult      *InstanceStepResult
	ExecutionResult InstanceExecutionResult
}

// Log is a log line with the step that wrote it.
type Log struct {
	run  string
	line domain.LogLine
	step string
	of   string // which event of the execution it came with
	n    int    // its place among those that did
}

// SectionID is the same for all lines of a step, nil for those of the execution itself.
func (l Log) SectionID() *string {
	if l.step == "" {
		return nil
	}
	return optional(sectionID(l.run, l.step))
}

func sectionID(run, step string) string { return domain.DeriveID("section", run, step) }

// ExecutionID is the execution that wrote it.
func (l Log) ExecutionID() string { return l.run }

// The connections and edges of the schema.
type (
	UserConnection                    = Page[domain.User]
	UserEdge                          = Edge[domain.User]
	APITokenConnection                = Page[APIToken]
	APITokenEdge                      = Edge[APIToken]
	CustomerConnection                = Page[domain.Customer]
	CustomerEdge                      = Edge[domain.Customer]
	DraftConnection                   = Page[Draft]
	DraftEdge                         = Edge[Draft]
	AuditEventConnection              = Page[AuditEvent]
	AuditEventEdge                    = Edge[AuditEvent]
	NotificationConnection            = Page[Notification]
	NotificationEdge                  = Edge[Notification]
	IntegrationConnection             = Page[Integration]
	IntegrationEdge                   = Edge[Integration]
	AttachmentConnection              = Page[Attachment]
	AttachmentEdge                    = Edge[Attachment]
	IntegrationFlowConnection         = Page[IntegrationFlow]
	IntegrationFlowEdge               = Edge[IntegrationFlow]
	InstanceConnection                = Page[domain.Instance]
	InstanceEdge                      = Edge[domain.Instance]
	InstanceFlowConfigConnection      = Page[InstanceFlowConfig]
	InstanceFlowConfigEdge            = Edge[InstanceFlowConfig]
	InstanceConfigVariableConnection  = Page[InstanceConfigVariable]
	InstanceConfigVariableEdge        = Edge[InstanceConfigVariable]
	InstanceExecutionResultConnection = Page[InstanceExecutionResult]
	InstanceExecutionResultEdge       = Edge[InstanceExecutionResult]
	InstanceStepResultConnection      = Page[InstanceStepResult]
	InstanceStepResultEdge            = Edge[InstanceStepResult]
	ComponentConnection               = Page[Component]
	ComponentEdge                     = Edge[Component]
	ActionConnection                  = Page[Action]
	ActionEdge                        = Edge[Action]
	ActionInputConnection             = Page[ActionInput]
	ActionInputEdge                   = Edge[ActionInput]
	ExpressionConnection              = Page[Expression]
	ExpressionEdge                    = Edge[Expression]
	ExecutionSectionConnection        = Page[ExecutionSection]
	ExecutionSectionEdge              = Edge[ExecutionSection]
	LogConnection                     = Page[Log]
	LogEdge                           = Edge[Log]
)

// optional turns the empty string into the schema's null.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// deref reads an optional argument: null, absent and empty are the same.
func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// MarshalDateTime writes a time as RFC 3339 in UTC, with microseconds.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, strconv.Quote(t.UTC().Format("2006-01-02T15:04:05.000000Z07:00")))
	})
}

// UnmarshalDateTime reads an RFC 3339 time.
func UnmarshalDateTime(v any) (time.Time, error) {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, refusal.New(refusal.Invalid, "%q is not an RFC 3339 date-time such as 2026-01-31T12:00:00Z",
			s)
	}
	return t, nil
}
