package eventstore

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heddle/store"
	"heddle/store/storetest"
)

// TestNodeClient has EventStoreDB's client for Node use a served log, if it is installed together with the
// other clients for Node: see cmd/heddle/testdata/clients/package.json.
func TestNodeClient(t *testing.T) {
	if os.Getenv("HEDDLE_TEST_NODE") == "" {
		t.Skip("HEDDLE_TEST_NODE is not set: EventStoreDB's client for Node is not tried")
	}
	for name, log := range map[string]store.Log{"memory": store.NewMemory(),
		"SQLite": storetest.SQLite(t, filepath.Join(t.TempDir(), "events.db"))} {
		t.Run(name, func(t *testing.T) {
			config, ca := testTLS(t)
			address := strings.Replace(serveTestLogOver(t, log, config), "tls=false", "tlsCAFile="+ca, 1)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "eventstore.js", address)
			cmd.Dir = "../../cmd/heddle/testdata/clients"
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
