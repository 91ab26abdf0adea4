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
	Since string `help:"A file with the head that an earlier verify printed: the log must still contain it."`
}

// Run walks the whole log of a stopped server and prints its head as JSON.
func (c verifyCmd) Run(ctx context.Context, s *settings, logger *slog.Logger, stdout io.Writer) error {
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
	release, err := lock(s.Data)
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
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(head)
}
