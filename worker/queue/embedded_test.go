package queue

import (
	"sync"
	"testing"
)

// A client's connections to a server that is replaced are no errors to whoever uses them next.
func TestEmbeddedReplacedUnnoticed(t *testing.T) {
	conn := embedded()
	defer conn.close()
	client := conn.make()
	defer func() { _ = client.Close() }()
	for range 20 {
		var all sync.WaitGroup
		for range 4 { // so many connections
			all.Go(func() {
				if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		conn.embedded.replace()
		if n, err := client.Exists(t.Context(), "key").Result(); err != nil || n != 0 {
			t.Fatalf("the new server has %d keys, %v", n, err)
		}
	}
}
