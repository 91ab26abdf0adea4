package blobs

import (
	"context"
	"encoding/json"

	"heddle/domain"
)

// Keep makes JSON ready to be told by an event: inside it when it is small, else in a blob under
// key, which is durable when Keep returns.
func (b *Store) Keep(ctx context.Context, key string, data json.RawMessage) (domain.Content, error) {
	if len(data) <= domain.MaxInline {
		return domain.Content{Inline: data, Size: len(data)}, nil
	}
	if err := b.Put(ctx, key, data); err != nil {
		return domain.Content{}, err
	}
	return domain.Content{Blob: key, Size: len(data)}, nil
}

// Load gives the JSON that an event holds or names.
func (b *Store) Load(ctx context.Context, c domain.Content) (json.RawMessage, error) {
	if c.Blob == "" {
		return c.Inline, nil
	}
	return b.Get(ctx, c.Blob)
}
