package store_test

import (
	"path/filepath"
	"testing"

	"heddle/store"
	"heddle/store/storetest"
)

func TestMemoryLog(t *testing.T) {
	storetest.Log(t, func(*testing.T) store.Log { return store.NewMemory() })
}

func TestSQLiteLog(t *testing.T) {
	storetest.Log(t, func(t *testing.T) store.Log {
		return storetest.SQLite(t, filepath.Join(t.TempDir(), "events.db"))
	})
}

// The same without the newest records in memory: followers query for every record.
func TestSQLiteLogQueried(t *testing.T) {
	storetest.Log(t, func(t *testing.T) store.Log {
		log := storetest.SQLite(t, filepath.Join(t.TempDir(), "events.db"))
		log.KeepNothing()
		return log
	})
}
