// Package live passes messages between processes and keeps values for a while, for state that is not worth an
// event. Losing it costs latency, never facts.
package live

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// Live carries data that may vanish: wake-ups, presence, answers, short locks. Losing it costs time, never
// facts.
type Live interface {
	// Publish sends a message to the present subscribers of the topic. It never waits for them.
	Publish(ctx context.Context, topic string, message []byte) error
	// Subscribe returns the topic's messages and a function that ends the subscription and closes the channel.
	// A slow subscriber misses the oldest ones. Messages are shared: they must not be edited.
	Subscribe(topic string) (messages <-chan []byte, stop func())
	// Set keeps a value for a time.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Get returns a value that has not expired.
	Get(ctx context.Context, key string) (value []byte, found bool, err error)
	// Delete forgets a value, if there is one.
	Delete(ctx context.Context, key string) error
}

const liveBuffer = 16 // messages

// Memory is a [Live] for one process.
type Memory struct {
	mu     sync.Mutex
	topics map[string]map[chan []byte]struct{}
	values map[string]liveValue
	sweep  int // number of values at which expired ones are looked for
}

type liveValue struct {
	data  []byte
	until time.Time
}

// NewMemory returns a Live without subscribers and values.
func NewMemory() *Memory {
	return &Memory{topics: map[string]map[chan []byte]struct{}{}, values: map[string]liveValue{}, sweep: 1024}
}

// Publish implements [Live].
func (l *Memory) Publish(_ context.Context, topic string, message []byte) error {
	message = bytes.Clone(message)
	l.mu.Lock()
	defer l.mu.Unlock()
	for messages := range l.topics[topic] {
		select {
		case messages <- message:
			continue
		default:
		}
		select { // the subscriber is slow: the oldest goes, unless it was just taken
		case <-messages:
		default:
		}
		messages <- message // has room: only Publish sends, and it holds the lock
	}
	return nil
}

// Subscribe implements [Live].
func (l *Memory) Subscribe(topic string) (<-chan []byte, func()) {
	messages := make(chan []byte, liveBuffer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics[topic] == nil {
		l.topics[topic] = map[chan []byte]struct{}{}
	}
	l.topics[topic][messages] = struct{}{}
	return messages, sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.topics[topic], messages)
		if len(l.topics[topic]) == 0 {
			delete(l.topics, topic)
		}
		close(messages)
	})
}

// Set implements [Live].
func (l *Memory) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.values[key] = liveValue{bytes.Clone(value), now.Add(ttl)}
	if len(l.values) >= l.sweep {
		for k, v := range l.values {
			if !now.Before(v.until) {
				delete(l.values, k)
			}
		}
		l.sweep = max(1024, 2*len(l.values))
	}
	return nil
}

// Get implements [Live].
func (l *Memory) Get(_ context.Context, key string) ([]byte, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, found := l.values[key]
	if !found || !time.Now().Before(v.until) {
		delete(l.values, key)
		return nil, false, nil
	}
	return bytes.Clone(v.data), true, nil
}

// Delete implements [Live].
func (l *Memory) Delete(_ context.Context, key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.values, key)
	return nil
}
