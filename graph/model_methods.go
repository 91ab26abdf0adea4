package graph

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"heddle/domain"
)

// VersionNumber is the version's, or of a draft the one published last.
func (i Integration) VersionNumber() int {
	if i.version != nil {
		return i.version.Number
	}
	return len(i.integration.Versions)
}

// VersionCreatedAt is when the version was published, or the integration created.
func (i Integration) VersionCreatedAt() time.Time {
	if i.version != nil {
		return i.version.PublishedAt
	}
	return i.integration.CreatedAt
}

// VersionComment is the note that the version was published with.
func (i Integration) VersionComment() *string {
	if i.version != nil {
		return optional(i.version.Note)
	}
	return nil
}

// VersionIsAvailable reports whether it can be deployed.
func (i Integration) VersionIsAvailable() bool { return i.version != nil && !i.version.Unavailable }

// VersionLabels are those of the version itself, none of the draft.
func (i Integration) VersionLabels() []string {
	if i.version == nil || i.version.Labels == nil {
		return []string{}
	}
	return i.version.Labels
}

// IsTemplate reports whether it is offered to begin others with.
func (i Integration) IsTemplate() bool { return i.TemplateFor() != TemplateForNobody }

// TemplateFor returns to whom it is offered.
func (i Integration) TemplateFor() TemplateFor {
	switch {
	case i.version == nil:
		return templateFor(offered(i.integration))
	case i.version.Unavailable:
		return TemplateForNobody
	}
	return templateFor(i.version.Template)
}

func (i Integration) market() domain.Marketplace {
	if i.version == nil {
		return inMarket(i.integration)
	}
	return i.version.Market()
}

// MarketplaceConfiguration returns how the marketplace has it.
func (i Integration) MarketplaceConfiguration() MarketplaceConfiguration {
	return MarketplaceConfiguration(i.market().Configuration)
}

// Overview returns its text in the marketplace.
func (i Integration) Overview() *string { return optional(i.market().Overview) }

// AllowMultipleMarketplaceInstances reports whether a customer may have several instances of it.
func (i Integration) AllowMultipleMarketplaceInstances() bool { return i.market().Multiple }

// CreatedAt is when the integration was created.
func (i Integration) CreatedAt() time.Time { return i.integration.CreatedAt }

// Customer is whom the integration was built for alone; none is.
func (i Integration) Customer() *domain.Customer { return nil }

// IsCodeNative reports whether the integration is built from code; Heddle has those defined in YAML.
func (i Integration) IsCodeNative() bool { return false }

// ID is the variable's within the instance.
func (v InstanceConfigVariable) ID() string {
	return domain.PartID(v.instance.ID, v.variable.ID)
}

// Value returns the instance's value, or the default; a connection's stays sealed.
func (v InstanceConfigVariable) Value() *string {
	switch {
	case v.connection():
		return nil
	case v.isSet:
		return &v.set.Value
	}
	return optional(v.variable.Default())
}

// Status reports whether there is a value to run with.
func (v InstanceConfigVariable) Status() *InstanceConfigVariableStatus {
	status := InstanceConfigVariableStatusActive
	if v.connection() && !v.isSet {
		status = InstanceConfigVariableStatusError
	}
	return &status
}

// AuthorizeURL is null: no connection needs a person's authorisation yet.
func (v InstanceConfigVariable) AuthorizeURL() *string { return nil }

// Inputs are a connection's fields, by name; their values stay inside.
func (v InstanceConfigVariable) Inputs(after *string, first *int, before *string, last *int) (Page[Expression], error) {
	return paginateUnlessAsked(numbered(v.fields()), window{after, first, before, last})
}

func (v InstanceConfigVariable) fields() (all []Expression) {
	if v.connection() {
		for _, name := range slices.Sorted(maps.Keys(v.variable.Inputs())) {
			all = append(all, Expression{ID: domain.PartID(v.instance.ID,
				domain.DeriveID("field", v.variable.ID, name)), Name: name})
		}
	}
	return all
}

// RequiredConfigVariable returns the variable in the definition.
func (v InstanceConfigVariable) RequiredConfigVariable() RequiredConfigVariable {
	return RequiredConfigVariable{cmp.Or(v.instance.Version, v.instance.Integration), v.variable}
}

func (v InstanceConfigVariable) connection() bool { return v.variable.IsConnection() }

// ID is another one in each version, as what it says is.
func (v RequiredConfigVariable) ID() string { return domain.PartID(v.of, v.variable.ID) }

// Key is the variable's name.
func (v RequiredConfigVariable) Key() string { return v.variable.Key() }

// DefaultValue is used where an instance sets none.
func (v RequiredConfigVariable) DefaultValue() *string {
	return optional(v.variable.Default())
}

// DataType is spelled as existing clients know it.
func (v RequiredConfigVariable) DataType() string {
	return strings.ToUpper(v.variable.Text("dataType"))
}

// StartedAt is null while the execution waits.
func (e InstanceExecutionResult) StartedAt() *time.Time { return optionalTime(e.Execution.StartedAt) }

// EndedAt is null while it has not ended.
func (e InstanceExecutionResult) EndedAt() *time.Time { return optionalTime(e.Execution.EndedAt) }

// Error is why it failed.
func (e InstanceExecutionResult) Error() *string { return optional(e.Execution.Error) }

// IsTestExecution reports whether the draft was run, not a version.
func (e InstanceExecutionResult) IsTestExecution() bool { return e.Test }

// InvokeType returns the kind of what started it.
func (e InstanceExecutionResult) InvokeType() InstanceExecutionResultInvokeType {
	return InstanceExecutionResultInvokeType(e.Invoke)
}

// ResultType is how it ended, null before.
func (e InstanceExecutionResult) ResultType() *InstanceExecutionResultResultType {
	if e.Result == "" {
		return nil
	}
	result := InstanceExecutionResultResultType(e.Result)
	return &result
}

// Status is where it stands.
func (e InstanceExecutionResult) Status() ExecutionStatus {
	switch {
	case e.Result == domain.Failed:
		return ExecutionStatusError
	case e.Result == domain.Canceled, e.Result == domain.Duplicate:
		return ExecutionStatusCanceled
	case e.Result != "":
		return ExecutionStatusSuccess
	case e.Execution.StartedAt.IsZero():
		return ExecutionStatusQueued
	}
	return ExecutionStatusPending
}

// ID is unique over all executions, and all attempts of each.
func (s InstanceStepResult) ID() string {
	return domain.PartID(s.run, domain.DeriveID("step result", s.step.Path, strconv.Itoa(s.step.Attempt)))
}

// StepName is the step's name in the definition.
func (s InstanceStepResult) StepName() *string { return &s.step.Name }

// DisplayStepName is the same name.
func (s InstanceStepResult) DisplayStepName() *string { return &s.step.Name }

// Path distinguishes one iteration's result from another's.
func (s InstanceStepResult) Path() string { return s.step.Path }

// StartedAt is when the step began.
func (s InstanceStepResult) StartedAt() *time.Time { return optionalTime(s.step.Started) }

// EndedAt is when the step was done.
func (s InstanceStepResult) EndedAt() *time.Time { return optionalTime(s.step.Ended) }

// HasError reports whether the step failed.
func (s InstanceStepResult) HasError() bool { return s.step.Error != "" }

// Error is why it failed.
func (s InstanceStepResult) Error() *string { return optional(s.step.Error) }

// ResultSize is the size of what the step left, in bytes of JSON.
func (s InstanceStepResult) ResultSize() int { return s.step.Output.Size }

// ID is unique over all executions.
func (l Log) ID() string {
	return domain.PartID(l.run, domain.DeriveID("line", l.of, strconv.Itoa(l.n)))
}

// Timestamp is when the line was written.
func (l Log) Timestamp() time.Time { return l.line.Time }

// Severity of the line.
func (l Log) Severity() LogSeverityLevel { return LogSeverityLevel(l.line.Severity) }

// Message is the line's text.
func (l Log) Message() string { return l.line.Message }

// StepName is the step that wrote it.
func (l Log) StepName() *string { return optional(l.step) }
