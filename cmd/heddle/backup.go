package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"heddle/domain/refusal"
	"heddle/store"
)

type backupCmd struct {
	Folder string `arg:"" help:"Where to; a folder that is not there yet or empty."`
}

// headFile is written last: a backup without it is not whole.
const headFile = "head.json"

// Run copies what cannot be made again, of a running server or a stopped one: first the event log, then the
// blobs, since each is there before the event that names it. The copy of the log is checked.
func (c backupCmd) Run(ctx context.Context, s *settings, logger *slog.Logger, stdout io.Writer) error {
	if s.Log != "embedded" {
		return errors.New("the event log is not in this data folder (HEDDLE_LOG): back it up where it is, and the blobs after it; see docs/operating.md")
	}
	if err := makeEmpty(c.Folder); err != nil {
		return err
	}
	if err := store.CopySQLite(ctx, filepath.Join(s.Data, "log.db"), filepath.Join(c.Folder, "log.db")); err != nil {
		return err
	}
	if err := c.blobs(ctx, s, stdout); err != nil {
		return err
	}
	head, err := c.check(ctx, logger)
	if err != nil {
		return fmt.Errorf("checking the copy of the event log: %w", err)
	}
	fmt.Fprintf(stdout, "log.db: %s in %s, as of position %d\n", refusal.Count(head.Events, "event"),
		refusal.Count(head.Streams, "stream"), head.Position)
	if head.Foreign > 0 {
		fmt.Fprintf(stdout, "log.db: besides, %s of other programs, copied and not checked\n",
			refusal.Count(head.Foreign, "record"))
	}
	key := "HEDDLE_MASTER_KEY"
	if s.MasterKey == "" {
		key = filepath.Join(s.Data, "master.key")
	}
	_, err = fmt.Fprintf(stdout, "%s: for heddle verify --since\nnot in it: the master key (%s); keep it apart, for without it the secrets are lost\n", headFile, key)
	return err
}

// makeEmpty makes a folder, or takes an empty one.
func makeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.MkdirAll(dir, 0o700)
	case err == nil && len(entries) > 0:
		err = fmt.Errorf("%s is not empty: give a folder that is not there yet", dir)
	case err == nil:
		err = os.Chmod(dir, 0o700)
	}
	return err
}

// blobs copies the blobs if they are in a folder.
func (c backupCmd) blobs(ctx context.Context, s *settings, stdout io.Writer) error {
	if s.Blobs != "" && !strings.HasPrefix(s.Blobs, "file:") {
		_, err := fmt.Fprintf(stdout, "not in it: the blobs at %s; keep these by its own means, from now on or later\n",
			withoutSecrets(s.Blobs))
		return err
	}
	blobs, err := s.openBlobs(ctx)
	if err != nil {
		return err
	}
	n, err := blobs.CopyTo(ctx, filepath.Join(c.Folder, "blobs"))
	if err = errors.Join(err, blobs.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "blobs: %d\n", n)
	return err
}

// check verifies the copy and keeps its head.
func (c backupCmd) check(ctx context.Context, logger *slog.Logger) (store.Head, error) {
	log, err := store.OpenSQLite(filepath.Join(c.Folder, "log.db"), store.Logger(logger))
	if err != nil {
		return store.Head{}, err
	}
	head, err := store.Verify(ctx, log, nil)
	if err = errors.Join(err, log.Close()); err != nil {
		return head, err
	}
	text, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return head, err
	}
	syscall.Sync() // one for all files
	return head, os.WriteFile(filepath.Join(c.Folder, headFile), append(text, '\n'), 0o600)
}
