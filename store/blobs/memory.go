package blobs

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"strings"
	"sync"
)

// inMemory keeps blobs as long as the process lives.
type inMemory struct {
	mu    sync.Mutex
	blobs map[string][]byte
}

func (m *inMemory) put(ctx context.Context, key string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[key] = append([]byte{}, data...)
	return nil
}

func (m *inMemory) get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.blobs[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(data), nil
}

func (m *inMemory) remove(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, key)
	return nil
}

func (m *inMemory) removeFolder(_ context.Context, folder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.blobs, func(key string, _ []byte) bool { return strings.HasPrefix(key, folder+"/") })
	return nil
}

func (m *inMemory) settle(string) error { return nil }

func (m *inMemory) close() {}
