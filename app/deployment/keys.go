package deployment

import (
	"context"
	"slices"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// The limits of a flow's API keys.
const (
	maxFlowKeys  = 20
	minKeyLength = 8
	maxKeyLength = 1024
)

// KeysInput is the API keys that the endpoint of a flow takes, in the place of those that it had.
type KeysInput struct {
	FlowID string // as the client says it, for errors
	Flow   string // the part's id
	Keys   []string
}

// flowKeys seals API keys of flows' endpoints.
func (s *Service) flowKeys(ctx context.Context, instance domain.Instance,
	inputs []KeysInput) ([]domain.FlowKeysSet, error) {
	var all []domain.FlowKeysSet
	for _, input := range inputs {
		content, err := s.content(ctx, instance)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(content.Flows(), func(flow *definition.Part) bool { return flow.ID == input.Flow }) {
			return nil, refusal.ForField(refusal.NotFound, "flowConfigs", "Record not found: flow %s", input.FlowID)
		}
		set := domain.FlowKeysSet{Flow: input.Flow, Keys: []domain.FlowKey{}}
		for _, key := range input.Keys {
			if len(key) < minKeyLength || len(key) > maxKeyLength || len(set.Keys) == maxFlowKeys {
				return nil, refusal.ForField(refusal.Invalid, "flowConfigs",
					"a flow may have %d API keys of %d to %d characters", maxFlowKeys, minKeyLength, maxKeyLength)
			}
			sealed, err := s.seal(instance, domain.FlowKeyContext(instance.ID, input.Flow), []byte(key))
			if err != nil {
				return nil, err
			}
			set.Keys = append(set.Keys, domain.FlowKey{Sealed: sealed})
		}
		all = append(all, set)
	}
	return all, nil
}
