package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"heddle/store"
	"heddle/store/storetest"
)

// acknowledged is the answer to an append, and the extent of the write-ahead log then.
type acknowledged struct {
	stream   string
	revision store.Revision
	position store.Position
	salt     uint64 // changes when the WAL begins anew, which it does after a checkpoint
	end      int64  // of the append's last frame
}

const walHeader, walFrame = 32, 24 + 4096

// walEnd returns the WAL's salt and the end of its last valid frame. Source: sqlite.org/fileformat2, 4.1.
func walEnd(wal []byte) (salt uint64, end int64) {
	if len(wal) < walHeader {
		return 0, 0
	}
	salt = binary.BigEndian.Uint64(wal[16:])
	end = walHeader
	for int(end)+walFrame <= len(wal) && binary.BigEndian.Uint64(wal[end+8:]) == salt {
		end += walFrame
	}
	return salt, end
}

// TestTornWrites tries the states that a crash can leave: the file and the WAL up to any byte, the rest missing
// or garbage. The log must then be as it was at some moment, with everything acknowledged before the kept bytes
// end, and accept appends.
func TestTornWrites(t *testing.T) {
	const checkpoint = 60 // frames; small, so that some moments are after checkpoints
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "events.db")
	log := storetest.SQLite(t, path, store.Pragma(fmt.Sprint("wal_autocheckpoint = ", checkpoint)))
	var acks []acknowledged
	moments, torn, afterCheckpoint := 30, 12, 0
	if testing.Short() {
		moments, torn = 15, 6
	}
	for done := 0; done < moments; {
		for range 1 + random.IntN(6) {
			acks = append(acks, appendAcknowledged(t, log, path, random, acks))
		}
		db, wal := readFile(t, path), readFile(t, path+"-wal")
		salt, end := walEnd(wal)
		if (end-walHeader)/walFrame >= checkpoint {
			continue // the file has pages of frames that no crash can take from the WAL any more
		}
		done++
		if acks[0].salt != salt {
			afterCheckpoint++
		}
		for range torn {
			cut := random.Int64N(end + walFrame)
			crashed := filepath.Join(t.TempDir(), "events.db")
			writeFile(t, crashed, db)
			writeFile(t, crashed+"-wal", tear(random, wal, cut))
			wantPrefix(t, crashed, acks, func(a acknowledged) bool { return a.salt != salt || a.end <= cut })
		}
	}
	if afterCheckpoint == 0 || afterCheckpoint == moments {
		t.Errorf("%d of %d moments were after a checkpoint: the test does not try both", afterCheckpoint, moments)
	}
}

func appendAcknowledged(t *testing.T, log store.Log, path string, random *rand.Rand, acks []acknowledged) acknowledged {
	a := acknowledged{stream: fmt.Sprint("draft-", random.IntN(4)), revision: store.NoStream}
	for _, before := range acks {
		if before.stream == a.stream {
			a.revision = before.revision
		}
	}
	events := storetest.Events(1 + random.IntN(3))
	for i := range events {
		events[i].Data = bytes.Repeat([]byte("x"), random.IntN(9000))
	}
	a.position = storetest.MustAppend(t, log, a.stream, a.revision, events...)
	a.revision += store.Revision(len(events))
	a.salt, a.end = walEnd(readFile(t, path+"-wal"))
	return a
}

// tear cuts the WAL, or leaves noise where data was not yet on disk.
func tear(random *rand.Rand, wal []byte, cut int64) []byte {
	cut = min(cut, int64(len(wal)))
	torn := bytes.Clone(wal[:cut])
	if random.IntN(2) == 0 {
		for range random.IntN(3 * walFrame) {
			torn = append(torn, byte(random.Uint32()))
		}
	}
	return torn
}

// wantPrefix opens a log after a crash. It must hold the acknowledged appends in order up to some point, none
// of them in part, and at least the required ones.
func wantPrefix(t *testing.T, path string, acks []acknowledged, must func(acknowledged) bool) {
	t.Helper()
	log, err := store.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	all, _ := storetest.CaughtUp(t, log, 0, store.Filter{})
	heads := map[string]store.Revision{}
	at := 0
	for i, r := range all {
		if r.Position != store.Position(i+1) || r.Revision != heads[r.Stream] {
			t.Fatalf("record %d has position %d and revision %d of %s", i, r.Position, r.Revision, r.Stream)
		}
		heads[r.Stream]++
		if r.Position == acks[at].position {
			at++
		}
	}
	if n := len(all); n > 0 && (at == 0 || acks[at-1].position != all[n-1].Position) {
		t.Errorf("an append is there in part: the log ends at position %d", all[n-1].Position)
	}
	for _, a := range acks[at:] {
		if must(a) {
			t.Errorf("%s at revision %d, position %d, was acknowledged and is lost", a.stream, a.revision, a.position)
		}
	}
	for stream, next := range heads {
		storetest.MustAppend(t, log, stream, next-1, storetest.Event("After"))
		if got := storetest.ReadAll(t, log, stream, 0); len(got) != int(next)+1 {
			t.Errorf("after the crash %s has %d records, want %d", stream, len(got), next+1)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKilledProcess kills an appending process, again and again on one file: every append that it acknowledged
// is there.
func TestKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	random := rand.New(rand.NewPCG(3, 4))
	promised := map[string]store.Revision{}
	rounds := 10
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		for stream, revision := range runAndKill(t, path, time.Duration(20+random.IntN(150))*time.Millisecond) {
			promised[stream] = max(promised[stream], revision)
		}
		log, err := store.OpenSQLite(path)
		if err != nil {
			t.Fatal(err)
		}
		for stream, revision := range promised {
			got := storetest.ReadAll(t, log, stream, 0)
			if len(got) <= int(revision) {
				t.Errorf("round %d: %s has %d records, revision %d was promised", round, stream, len(got), revision)
			}
			for i, r := range got {
				if r.Revision != store.Revision(i) {
					t.Fatalf("round %d: revision %d of %s is missing", round, i, stream)
				}
			}
			promised[stream] = store.Revision(len(got)) - 1
		}
		if _, err := store.Verify(context.Background(), log, nil); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(promised) < childWriters {
		t.Errorf("only %d streams were appended to", len(promised))
	}
}

const childWriters = 4

// appendForever runs in the process that gets killed: it prints a line for every change.
func appendForever(path string) error {
	log, err := store.OpenSQLite(path)
	if err != nil {
		return err
	}
	var writing sync.WaitGroup
	for w := range childWriters {
		writing.Go(func() {
			for {
				h, err := store.Open(as("child"), log, tallies, fmt.Sprint(w))
				for err == nil {
					if _, _, err = h.Change(as("child"), count); err == nil {
						fmt.Printf("%d %d\n", w, h.Revision())
					}
				}
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	writing.Wait()
	return nil
}
