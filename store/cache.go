// Package cache has a bounded map.
package store

import "sync"

// cache is a bounded map that forgets what was not used lately: it keeps two generations and drops
// the older one when the younger is full. Safe for use by several goroutines.
type cache[K comparable, V any] struct {
	mu         sync.Mutex
	size       int // of one generation
	young, old map[K]V
}

func newCache[K comparable, V any](size int) *cache[K, V] {
	return &cache[K, V]{size: size, young: map[K]V{}}
}

func (c *cache[K, V]) get(key K) (V, bool) {
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

func (c *cache[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putLocked(key, value)
}

func (c *cache[K, V]) putLocked(key K, value V) {
	if _, there := c.young[key]; !there && len(c.young) >= c.size {
		c.young, c.old = map[K]V{}, c.young
	}
	c.young[key] = value
	delete(c.old, key)
}

func (c *cache[K, V]) remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, key)
	delete(c.old, key)
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.young)
	clear(c.old)
}

// Len returns how many entries it holds.
func (c *cache[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.young) + len(c.old)
}
