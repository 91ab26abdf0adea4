// Package cache is a bounded map, which several packages need for different values.
package cache

import "sync"

// Map is a bounded map that drops entries that were not used lately: it keeps two generations and drops the
// older one when the younger is full. It is safe for concurrent use.
type Map[K comparable, V any] struct {
	mu         sync.Mutex
	size       int // of one generation
	young, old map[K]V
}

// New returns a map of at most twice size entries.
func New[K comparable, V any](size int) *Map[K, V] {
	return &Map[K, V]{size: size, young: map[K]V{}}
}

// Get returns an entry and reports whether it exists.
func (c *Map[K, V]) Get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.young[key]; ok {
		return v, true
	}
	v, ok := c.old[key]
	if ok {
		c.putLocked(key, v)
	}
	return v, ok
}

// Put sets an entry.
func (c *Map[K, V]) Put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putLocked(key, value)
}

func (c *Map[K, V]) putLocked(key K, value V) {
	if _, there := c.young[key]; !there && len(c.young) >= c.size {
		c.young, c.old = map[K]V{}, c.young
	}
	c.young[key] = value
	delete(c.old, key)
}

// Remove removes an entry, if it exists.
func (c *Map[K, V]) Remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, key)
	delete(c.old, key)
}

// Clear removes every entry.
func (c *Map[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.young)
	clear(c.old)
}

// Len returns how many entries it holds.
func (c *Map[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.young) + len(c.old)
}
