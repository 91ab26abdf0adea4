package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"heddle/store"
	"heddle/store/blobs"
	"heddle/store/eventstore"
	"heddle/store/vault"
)

// lock makes the data folder this process's own until it ends, however it ends, and nobody else's to read.
func lock(dir string, logger *slog.Logger) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder (HEDDLE_DATA): %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data folder (HEDDLE_DATA): %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("the data folder %s belongs to another heddle process; stop it or set HEDDLE_DATA to another folder", dir)
	}
	was, still := tightenFolder(dir)
	if len(was) > 0 {
		logger.Warn("other users of this machine could read parts of the data folder (HEDDLE_DATA); now they can't",
			"changed", was)
	}
	if len(still) > 0 {
		logger.Warn("other users of this machine may read parts of the data folder (HEDDLE_DATA): take their rights away", "unchanged", still)
	}
	return func() { _ = f.Close() }, nil
}

// openLog opens the event log that the settings name.
func (s *settings) openLog(logger *slog.Logger, opts ...store.SQLiteOption) (store.Log, error) {
	switch {
	case strings.HasPrefix(s.Log, "esdb://"), strings.HasPrefix(s.Log, "esdb+discover://"):
		log, err := eventstore.Open(s.Log, logger)
		if err != nil {
			return nil, fmt.Errorf("HEDDLE_LOG: %w", err)
		}
		return log, nil
	case s.Log != "embedded":
		return nil, errors.New("HEDDLE_LOG: set it to embedded, or to an address that begins with esdb://")
	}
	log, err := store.OpenSQLite(filepath.Join(s.Data, "log.db"), append(opts, store.Logger(logger))...)
	if err != nil {
		return nil, err
	}
	return log, nil
}

// openBlobs opens the blobs that the settings name.
func (s *settings) openBlobs(ctx context.Context) (*blobs.Store, error) {
	address := s.Blobs
	if address == "" {
		dir, err := filepath.Abs(filepath.Join(s.Data, "blobs"))
		if err != nil {
			return nil, err
		}
		address = (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
	}
	kept, err := blobs.Open(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("HEDDLE_BLOBS: %w", err)
	}
	return kept, nil
}

// openVault opens the vault with the master key, telling the operator when there is a new one.
func (s *settings) openVault(logger *slog.Logger) (*vault.Vault, error) {
	key, created, err := vault.LoadMasterKey(s.MasterKey, s.Data)
	if err != nil {
		return nil, err
	}
	if created {
		logger.Warn("made a master key; keep a copy of it apart from the data: without it all secrets are lost",
			"file", filepath.Join(s.Data, "master.key"))
	}
	return vault.Open(key)
}

// publicURL is where others reach this server.
func (s *settings) publicURL(address string) string {
	if s.PublicURL != "" {
		return strings.TrimRight(s.PublicURL, "/")
	}
	return "http://" + address
}
