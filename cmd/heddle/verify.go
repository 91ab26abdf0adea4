package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"heddle/store"
)

type verifyCmd struct {
	Since  string `help:"A file with the head that an earlier verify printed: the log must still contain it."`
	Export string `help:"A file that /api/audit gave: it is checked by itself, without a log."`
}

// Run walks the whole log of a stopped server and prints its head as JSON.
func (c verifyCmd) Run(ctx context.Context, s *settings, logger *slog.Logger, stdout io.Writer) error {
	if c.Export != "" {
		return verifyExport(c.Export, stdout)
	}
	var since *store.Head
	if c.Since != "" {
		text, err := os.ReadFile(c.Since)
		if err != nil {
			return err
		}
		since = &store.Head{}
		if err := json.Unmarshal(text, since); err != nil {
			return fmt.Errorf("%s is no head that verify printed: %w", c.Since, err)
		}
	}
	release, err := lock(s.Data, logger)
	if err != nil {
		return err
	}
	defer release()
	log, err := s.openLog(logger)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	head, err := store.Verify(ctx, log, since)
	if err != nil {
		return err
	}
	return show(stdout, head)
}

func show(stdout io.Writer, head any) error {
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(head)
}

func verifyExport(path string, stdout io.Writer) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	head, err := store.VerifyExport(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return show(stdout, head)
}
