package component

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// Registry is a fixed set of components. It never changes, so it may be shared; [Registry.With] returns a new
// one.
type Registry struct {
	components map[string]Component
}

// New makes a registry. It panics on a component, action or trigger without a key or with one that is taken:
// that is a mistake in a program, found when it starts.
func New(components ...Component) *Registry {
	r := &Registry{components: make(map[string]Component, len(components))}
	for _, c := range components {
		if _, taken := r.components[c.Key]; taken || c.Key == "" {
			panic(fmt.Sprintf("component: key %q is empty or taken", c.Key))
		}
		c.mustHaveKeys()
		r.components[c.Key] = c
	}
	return r
}

// With returns a registry that has these components too. One with an existing key replaces it.
func (r *Registry) With(components ...Component) *Registry {
	extended := New(components...)
	for key, c := range r.components {
		if _, replaced := extended.components[key]; !replaced {
			extended.components[key] = c
		}
	}
	return extended
}

// Lookup finds an action. If there is none, it refuses with NOT_FOUND, naming the existing ones.
func (r *Registry) Lookup(componentKey, actionKey string) (Action, error) {
	c, err := r.find(componentKey)
	if err != nil {
		return Action{}, err
	}
	if i := slices.IndexFunc(c.Actions, func(a Action) bool { return a.Key == actionKey }); i >= 0 {
		return c.Actions[i], nil
	}
	if c.stub != nil {
		return Answer(actionKey, *c.stub), nil
	}
	return Action{}, refusal.New(refusal.NotFound, "component %q has no action %q; it has %s",
		componentKey, actionKey, keys(c.Actions, func(a Action) string { return a.Key }))
}

// LookupTrigger finds a trigger. If there is none, it refuses with NOT_FOUND, naming the existing ones.
func (r *Registry) LookupTrigger(componentKey, triggerKey string) (Trigger, error) {
	c, err := r.find(componentKey)
	if err != nil {
		return Trigger{}, err
	}
	if i := slices.IndexFunc(c.Triggers, func(t Trigger) bool { return t.Key == triggerKey }); i >= 0 {
		return c.Triggers[i], nil
	}
	if c.stub != nil {
		return stubTrigger(triggerKey, *c.stub), nil
	}
	return Trigger{}, refusal.New(refusal.NotFound, "component %q has no trigger %q; it has %s",
		componentKey, triggerKey, keys(c.Triggers, func(t Trigger) string { return t.Key }))
}

// Inputs lists the keys of an action's or a trigger's inputs, nil if any may be given.
func (r *Registry) Inputs(ref definition.ActionRef, trigger bool) ([]string, error) {
	var inputs []Input
	if trigger {
		t, err := r.LookupTrigger(ref.Component, ref.Key)
		if err != nil {
			return nil, err
		}
		inputs = t.Inputs
	} else {
		a, err := r.Lookup(ref.Component, ref.Key)
		if err != nil {
			return nil, err
		}
		inputs = a.Inputs
	}
	if inputs == nil {
		return nil, nil
	}
	all := make([]string, len(inputs))
	for i, in := range inputs {
		all[i] = in.Key
	}
	return all, nil
}

// Component returns the component with that key.
func (r *Registry) Component(key string) (Component, bool) {
	c, ok := r.components[key]
	return c, ok
}

// Components lists all components, by key.
func (r *Registry) Components() []Component {
	return slices.SortedFunc(maps.Values(r.components), func(a, b Component) int { return cmp.Compare(a.Key, b.Key) })
}

func (r *Registry) find(key string) (Component, error) {
	c, ok := r.components[key]
	if !ok {
		return c, refusal.New(refusal.NotFound, "there is no component %q here", key)
	}
	return c, nil
}

func (c Component) mustHaveKeys() {
	seen := map[string]bool{}
	claim := func(kind, key string) {
		if key == "" || seen[kind+key] {
			panic(fmt.Sprintf("component %s: %s key %q is empty or taken", c.Key, kind, key))
		}
		seen[kind+key] = true
	}
	for _, a := range c.Actions {
		claim("action", a.Key)
	}
	for _, t := range c.Triggers {
		claim("trigger", t.Key)
	}
}

func keys[T any](list []T, key func(T) string) string {
	if len(list) == 0 {
		return "none"
	}
	names := make([]string, len(list))
	for i, one := range list {
		names[i] = key(one)
	}
	return strings.Join(names, ", ")
}
