package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"heddle/app/access"
	"heddle/domain"
	"heddle/projections"
	"heddle/store"
	"heddle/store/vault"
)

// minAdminToken is the shortest administrator's token that is accepted.
const minAdminToken = 16

// firstStart makes the organization, its administrator and the administrator's token where they are
// missing, all under derived ids: two processes that start at once make the same. It refuses a wrong
// master key.
func firstStart(ctx context.Context, s *settings, log store.Log, view *projections.View, vault *vault.Vault,
	stdout io.Writer) error {
	email := strings.ToLower(strings.TrimSpace(s.AdminEmail))
	organization := domain.DeriveID("first organization")
	admin := domain.DeriveID("first administrator")
	ctx = store.As(ctx, store.Author{Organization: organization, Actor: "system"})
	if o, ok := view.Organizations.Find(organization); ok {
		if err := vault.Check(o.Key, domain.OrganizationKeyContext(organization)); err != nil {
			return err
		}
	}
	key, err := vault.NewDataKey(domain.OrganizationKeyContext(organization))
	if err != nil {
		return err
	}
	if _, _, err := store.Change(ctx, log, domain.Organizations, organization,
		func(o domain.Organization) (domain.Changes[domain.Organization], error) {
			return o.Create(s.Organization, key)
		}); unlessNewer(err) != nil {
		return fmt.Errorf("making the organization: %w", err)
	}
	claim := domain.ClaimID(organization, "user.email", email)
	user, _, err := store.Change(ctx, log, domain.Users, admin,
		func(u domain.User) (domain.Changes[domain.User], error) {
			return u.Create(email, "Administrator", domain.Admin)
		})
	if err = unlessNewer(err); err != nil {
		return fmt.Errorf("making the administrator: %w", err)
	}
	if user.ID == "" {
		user, _ = view.Users.Find(admin)
	}
	if _, _, err := store.Change(ctx, log, domain.Claims, claim,
		func(c domain.Claim) (domain.Changes[domain.Claim], error) {
			if c.Owner != "" {
				return nil, nil // theirs already, or somebody's who came first
			}
			return domain.Changes[domain.Claim]{domain.NameClaimed{Owner: admin}}, nil
		}); unlessNewer(err) != nil {
		return fmt.Errorf("claiming the administrator's e-mail address: %w", err)
	}
	pos, err := adminToken(ctx, s, log, user, stdout)
	if err != nil {
		return err
	}
	return view.Wait(ctx, pos)
}

// unlessNewer passes over the refusal to change what a newer version has changed, as happens while
// versions run side by side: it is there then, and the newer version sees to it.
func unlessNewer(err error) error {
	if _, newer := errors.AsType[*domain.UnknownKindError](err); newer {
		return nil
	}
	return err
}

// adminTokenName is the name of the configured token.
const adminTokenName = "HEDDLE_ADMIN_TOKEN"

// adminToken sees to it that the configured token is valid and those configured before are not, or
// makes one when there is none at all.
func adminToken(ctx context.Context, s *settings, log store.Log, user domain.User,
	stdout io.Writer) (store.Position, error) {
	secret, made := s.AdminToken, false
	switch {
	case secret == "" && len(user.Tokens) > 0:
		return 0, nil
	case secret == "":
		secret, made = access.NewToken(), true
	case len(secret) < minAdminToken:
		return 0, fmt.Errorf("HEDDLE_ADMIN_TOKEN must have at least %d characters", minAdminToken)
	}
	// shown before it counts: one that was shown and never counted does no harm, the reverse locks everybody out
	if made {
		if _, err := fmt.Fprintf(stdout, "The administrator's API token, shown this once:\n\n    %s\n\n",
			secret); err != nil {
			return 0, err
		}
	}
	hash := access.TokenHash(secret)
	id := domain.DeriveID("token", user.ID, hash)
	_, pos, err := store.Change(ctx, log, domain.Users, user.ID,
		func(u domain.User) (domain.Changes[domain.User], error) {
			if slices.ContainsFunc(u.Tokens, func(t domain.Token) bool { return t.ID == id && !t.RevokedAt.IsZero() }) {
				return nil, errors.New("HEDDLE_ADMIN_TOKEN holds a token that was revoked; choose another")
			}
			changes, err := u.IssueToken(id, adminTokenName, hash)
			for _, t := range u.Tokens {
				if t.Name == adminTokenName && t.ID != id && t.RevokedAt.IsZero() {
					changes = append(changes, domain.TokenRevoked{Token: t.ID})
				}
			}
			return changes, err
		})
	if valid := slices.ContainsFunc(user.Tokens, func(t domain.Token) bool {
		return t.ID == id &&
			t.RevokedAt.IsZero()
	}); valid {
		err = unlessNewer(err)
	}
	if err != nil {
		return 0, fmt.Errorf("setting the administrator's token: %w", err)
	}
	return pos, nil
}
