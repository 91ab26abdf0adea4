package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"heddle/domain"
	"heddle/store/live"
	"heddle/worker/queue"
)

// The roles that a process can have. Where none has all of them, there may be any number with each.
const (
	roleAPI    = "api"    // GraphQL and triggers
	roleWorker = "worker" // schedules, dispatching and executions
)

func (s *settings) holds(role string) bool { return slices.Contains(s.Roles, role) }

// checkRoles refuses what a process that needs others would keep to itself.
func (s *settings) checkRoles() error {
	if s.holds(roleAPI) && s.holds(roleWorker) {
		return nil
	}
	if len(s.Roles) == 0 {
		return fmt.Errorf("HEDDLE_ROLES: set it to %s, %s or both", roleAPI, roleWorker)
	}
	blobs, err := url.Parse(s.Blobs)
	unshared := []struct {
		is   bool
		what string
	}{
		{s.Redis == "embedded", "the Redis of all processes: HEDDLE_REDIS must be redis://… or another address, not embedded"},
		{s.Log == "embedded" && s.ServeLog == "",
			"their event log: HEDDLE_LOG must be esdb://…, or HEDDLE_SERVE_LOG an address at which this process serves its own"},
		{err != nil || blobs.Scheme == "" || blobs.Scheme == "mem",
			"their blobs: HEDDLE_BLOBS must be s3://bucket?region=…, or file:///folder on a machine that has them all"},
		{s.MasterKey == "", "their master key: HEDDLE_MASTER_KEY must be set"},
		{!s.holds(roleAPI) && s.PublicURL == "",
			"the address of those with the role api: HEDDLE_PUBLIC_URL must be set"},
	}
	var missing []string
	for _, u := range unshared {
		if u.is {
			missing = append(missing, "\n  "+u.what)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("HEDDLE_ROLES is %s: such a process works with others and needs%s", strings.Join(s.Roles, ","),
		strings.Join(missing, ";"))
}

// openLive opens what carries wake-ups, answers and presence: Redis, where processes may share one.
func (v *server) openLive() error {
	if v.Redis == "embedded" {
		v.live, v.closeLive = live.NewMemory(), func() error { return nil }
		return nil
	}
	client, err := queue.NewRedis(v.Redis)
	if err != nil {
		return err
	}
	live := live.NewRedis(client)
	v.live, v.closeLive = live, live.Close
	return nil
}

// awaitFirstStart waits until a process with the role api has made the organization, and refuses a
// wrong master key.
func (v *server) awaitFirstStart(ctx context.Context) error {
	changed, stop := v.view.Watch()
	defer stop()
	for told := false; ; told = true {
		id := domain.DeriveID("first organization")
		if o, ok := v.view.Organizations.Find(id); ok {
			return v.vault.Check(o.Key, domain.OrganizationKeyContext(id))
		}
		if !told {
			v.logger.Info("waiting for the first start of a process with the role api")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
