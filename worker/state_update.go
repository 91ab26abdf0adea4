package worker

import (
	"context"

	"heddle/component/value"
	"heddle/domain"
)

// Update implements [component.State].
func (s *sharedState) Update(_ context.Context, key string, change func(old any, found bool) (any, error),
) (val any, err error) {
	err = s.change(func(st domain.State) (domain.Changes[domain.State], error) {
		val = nil
		kept, found := st.Scopes[s.scope][key]
		saved, again := st.Saved(domain.ValueSaved{Scope: s.scope, Key: key, Run: s.x.run.ID, Path: s.step.writer()})
		if again { // done before a crash
			kept.Value = saved
		}
		if found || again {
			s.x.apiKeys()
			if val, err = value.Decode(kept.Value); err != nil || again {
				return nil, err
			}
		}
		if val, err = change(val, found); err != nil {
			return nil, err
		}
		data, err := value.Encode(val)
		if err != nil {
			return nil, err
		}
		return s.save(st, key, data)
	})
	return val, err
}

// Update implements [component.State].
func (s *ownState) Update(ctx context.Context, key string, change func(old any, found bool) (any, error)) (any, error) {
	old, found, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	value, err := change(old, found)
	if err != nil {
		return nil, err
	}
	return value, s.Set(ctx, key, value)
}
