package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/aymanbagabas/go-udiff"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// difference compares two drafts or versions. Those of different integrations have no ids in common:
// their parts are paired as an import would.
func (r *Resolver) difference(ctx context.Context, from, to string, fromAsOf,
	toAsOf *time.Time) (*IntegrationDifference, error) {
	a, before, err := r.side(ctx, "from", from, fromAsOf)
	if err != nil {
		return nil, err
	}
	b, after, err := r.side(ctx, "to", to, toAsOf)
	if err != nil {
		return nil, err
	}
	d := &IntegrationDifference{ID: domain.DeriveID("difference", from, to, instant(fromAsOf), instant(toAsOf)),
		From: &a, To: &b}
	if a.integration.ID != b.integration.ID {
		after = definition.Identify(after, before, idsFrom(d.ID))
	}
	if d.Parts, err = partDifferences(ctx, d.ID, before, after); err != nil {
		return nil, err
	}
	d.Yaml, err = unified(ctx, before, after)
	return d, err
}

// side is one of the two that are compared, with its definition.
func (r *Resolver) side(ctx context.Context, field, id string, asOf *time.Time) (Integration, *definition.Part, error) {
	m, err := parseAsOf(asOf, nil)
	if err != nil {
		return Integration{}, nil, err
	}
	i, err := r.integrationAt(ctx, id, m)
	if err == nil {
		definition, err := r.content(ctx, i)
		return i, definition, err
	}
	d, err := r.draftAsOf(ctx, id, m)
	if err != nil {
		return i, nil, refusal.ForField(refusal.NotFound, field, "Record not found: integration")
	}
	whole, err := d.full(ctx)
	return *d.Integration(), whole.Definition, err
}

func instant(t *time.Time) string {
	if t == nil {
		return "now"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// idsFrom returns ids that are the same each time the same is asked.
func idsFrom(seed string) func() string {
	n := 0
	return func() string {
		n++
		return domain.DeriveID("part", seed, strconv.Itoa(n))
	}
}

// partDifferences returns what differs. Its parts have ids of their own in each comparison.
func partDifferences(ctx context.Context, comparison string, before, after *definition.Part) ([]PartDifference, error) {
	return charge(ctx, func() ([]PartDifference, int, error) {
		list, fields := []PartDifference{}, partFields*(parts(before)+parts(after))
		for _, p := range definition.Compare(before, after) {
			part, err := partDifference(comparison, p)
			if err != nil {
				return nil, fields, err
			}
			list = append(list, part)
		}
		return list, fields, nil
	})
}

func partDifference(comparison string, p definition.PartDifference) (PartDifference, error) {
	d := PartDifference{ID: domain.PartID(comparison, cmp.Or(p.ID, comparison)), Part: optional(p.ID), Kind: p.Kind,
		Name: p.Name, Flow: optional(p.Flow), NameBefore: optional(p.WasName), Fields: []FieldDifference{},
		IsNew: p.New, IsDeleted: p.Deleted, IsMoved: p.Moved, IsRenamed: p.WasName != "", IsModified: p.Modified()}
	for _, f := range p.Fields {
		before, err := valueText(f.Before, f.WasSet)
		if err != nil {
			return d, err
		}
		after, err := valueText(f.After, f.Set)
		if err != nil {
			return d, err
		}
		d.Fields = append(d.Fields, FieldDifference{ID: domain.DeriveID(append([]string{"field", d.ID}, f.Path...)...),
			Path: f.Path, Before: before, After: after})
	}
	return d, nil
}

// valueText is a value as JSON, nil where there is none.
func valueText(v any, there bool) (*string, error) {
	if !there {
		return nil, nil
	}
	data, err := json.Marshal(v)
	text := string(data)
	return &text, err
}

// unified compares the canonical YAML of two definitions by lines.
func unified(ctx context.Context, before, after *definition.Part) (string, error) {
	a, err := written(ctx, before, definition.ExportOptions{})
	if err != nil {
		return "", err
	}
	b, err := written(ctx, after, definition.ExportOptions{})
	if err != nil {
		return "", err
	}
	return udiff.Unified("from", "to", a, b), nil
}
