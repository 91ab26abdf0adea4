package graph

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"time"

	"heddle/component"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// Component is a set of actions and triggers.
type Component struct{ component component.Component }

// ID stays the same as long as the key does.
func (c Component) ID() string { return domain.DeriveID("component", c.component.Key) }

// Key is how definitions name it.
func (c Component) Key() string { return c.component.Key }

// Label is its name for people.
func (c Component) Label() string { return c.component.Label }

// Description says what it is for.
func (c Component) Description() string { return c.component.Description }

// Public reports that everybody has it.
func (c Component) Public() bool { return true }

// Category is its heading in the catalogue.
func (c Component) Category() *string { return optional(c.component.Category) }

// Signature is null: it comes with the server.
func (c Component) Signature() *string { return nil }

// VersionNumber is the only one.
func (c Component) VersionNumber() int { return 1 }

// VersionCreatedAt is not known.
func (c Component) VersionCreatedAt() *time.Time { return nil }

// Customer is whom it was built for alone; none is.
func (c Component) Customer() *domain.Customer { return nil }

// Actions lists actions, triggers, or both.
func (c Component) Actions(isTrigger, isDataSource *bool, after *string, first *int, before *string,
	last *int) (Page[Action], error) {
	if isDataSource != nil && *isDataSource {
		return paginate(numbered([]Action(nil)), window{after, first, before, last})
	}
	return paginate(where(c.all(), func(a Action) bool { return isTrigger == nil || a.trigger == *isTrigger }),
		window{after, first, before, last})
}

func (c Component) all() iter.Seq2[uint64, Action] {
	var all []Action
	for _, t := range c.component.Triggers {
		support := ActionScheduleSupportInvalid
		if t.Start == component.StartSchedule {
			support = ActionScheduleSupportRequired
		}
		all = append(all, Action{of: c, Key: t.Key, Label: t.Label, Description: optional(t.Description),
			inputs:  t.Inputs,
			trigger: true, ScheduleSupport: &support, IsPollingTrigger: new(bool)})
	}
	for _, a := range c.component.Actions {
		all = append(all, Action{of: c, Key: a.Key, Label: a.Label, Description: optional(a.Description),
			inputs: a.Inputs, AllowsBranching: a.Branches})
	}
	return numbered(all)
}

// Action is an action or a trigger.
type Action struct {
	of               Component
	flow             *IntegrationFlow // that names it, of a trigger that is not known here
	inputs           []component.Input
	trigger          bool
	Key              string
	Label            string
	Description      *string
	IsPollingTrigger *bool
	ScheduleSupport  *ActionScheduleSupport
	AllowsBranching  bool
}

// ID stays the same as long as the keys do.
func (a Action) ID() string {
	if a.flow != nil {
		return domain.PartID(a.flow.of.ID(), domain.DeriveID("trigger", a.of.Key(), a.Key, a.flow.flow.ID))
	}
	kind := "action"
	if a.trigger {
		kind = "trigger"
	}
	return domain.DeriveID(kind, a.of.Key(), a.Key)
}

// IsTrigger reports whether the action is a trigger.
func (a Action) IsTrigger() bool { return a.trigger }

// Component is the one that it belongs to.
func (a Action) Component() *Component { return &a.of }

// Inputs lists what it takes.
func (a Action) Inputs(after *string, first *int, before *string, last *int) (Page[ActionInput], error) {
	return paginate(numbered(a.all()), window{after, first, before, last})
}

func (a Action) all() []ActionInput {
	all, id := make([]ActionInput, len(a.inputs)), a.ID()
	for i, in := range a.inputs {
		all[i] = ActionInput{ID: domain.DeriveID("input", id, in.Key), Key: in.Key, Label: in.Label,
			Description: in.Description, Type: in.Type, Required: in.Required,
			Default: optional(in.Default), Options: slices.Concat([]string{}, in.Options)}
	}
	return all
}

// components lists the catalogue by key.
func (r *Resolver) components(key *string, public *bool, version *int, filter *string,
	w window) (Page[Component], error) {
	fits, err := componentFilter(deref(filter))
	if err != nil {
		return Page[Component]{}, err
	}
	var all []Component
	for _, c := range r.Components.Components() {
		all = append(all, Component{c})
	}
	return paginate(where(numbered(all), func(c Component) bool {
		return (deref(key) == "" || c.Key() == *key) && (public == nil || *public) && (version == nil ||
			*version == c.VersionNumber()) && fits(c)
	}), w)
}

// catalogue finds components, actions, triggers and their inputs by their ids.
func catalogue(of *component.Registry) map[string]Node {
	all := map[string]Node{}
	for _, c := range of.Components() {
		all[Component{c}.ID()] = Component{c}
		for _, a := range (Component{c}).all() {
			all[a.ID()] = a
			for _, in := range a.all() {
				all[in.ID] = in
			}
		}
	}
	return all
}

// trigger finds a trigger as a definition names it.
func (r *Resolver) trigger(ref definition.ActionRef) (Action, bool) {
	c, _ := r.Components.Component(ref.Component)
	for _, a := range (Component{c}).all() {
		if a.trigger && a.Key == ref.Key {
			return a, true
		}
	}
	return Action{}, false
}

// componentFilter reads a filterQuery. Source: what existing clients send and their SDK documents.
func componentFilter(query string) (func(Component) bool, error) {
	if query == "" {
		return func(Component) bool { return true }, nil
	}
	var condition any
	if err := json.Unmarshal([]byte(query), &condition); err != nil {
		return nil, refusal.ForField(refusal.Invalid, "filterQuery", "must be JSON: %v", err)
	}
	return readFilter(condition)
}

func readFilter(condition any) (func(Component) bool, error) {
	list, _ := condition.([]any)
	if len(list) == 0 {
		return nil, refusal.ForField(refusal.Invalid, "filterQuery", "must be a list that begins with an operator")
	}
	operator, _ := list[0].(string)
	if operator != "and" && operator != "or" {
		return readComparison(operator, list[1:])
	}
	var parts []func(Component) bool
	for _, part := range list[1:] {
		fits, err := readFilter(part)
		if err != nil {
			return nil, err
		}
		parts = append(parts, fits)
	}
	return func(c Component) bool {
		for _, fits := range parts {
			if fits(c) == (operator == "or") {
				return operator == "or"
			}
		}
		return operator == "and"
	}, nil
}

var filterFields = map[string]func(Component) string{
	"key": Component.Key, "label": Component.Label, "description": Component.Description,
	"category": func(c Component) string { return c.component.Category },
}

var filterOperators = map[string]struct {
	test func(value, text string) bool
	want bool
}{
	"equal": {equalText, true}, "notEqual": {equalText, false}, "in": {strings.Contains, true},
	"notIn":      {strings.Contains, false},
	"startsWith": {strings.HasPrefix, true}, "doesNotStartWith": {strings.HasPrefix, false},
	"endsWith": {strings.HasSuffix, true}, "doesNotEndWith": {strings.HasSuffix, false},
}

func equalText(a, b string) bool { return a == b }

func readComparison(operator string, operands []any) (func(Component) bool, error) {
	compare, known := filterOperators[operator]
	if !known || len(operands) != 2 {
		return nil, refusal.ForField(refusal.Invalid, "filterQuery", "%q with %s is not understood", operator,
			refusal.Count(len(operands), "operand"))
	}
	name, _ := operands[0].(string)
	text, isText := operands[1].(string)
	field, known := filterFields[name]
	if !known || !isText {
		return nil, refusal.ForField(refusal.Invalid, "filterQuery",
			"%s compares key, label, description or category with text", operator)
	}
	text = strings.ToLower(text)
	return func(c Component) bool { return compare.test(strings.ToLower(field(c)), text) == compare.want }, nil
}
