package graph

import (
	"context"
	"slices"
	"strings"
	"time"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/store"
)

// issueToken draws a token for a user. The secret is returned once and kept nowhere.
func (r *Resolver) issueToken(ctx context.Context, user, name string) (APIToken, string, error) {
	u, ok := r.View.Users.Get(access.Of(ctx).Organization, user)
	if !ok {
		return APIToken{}, "", refusal.ForField(refusal.NotFound, "user", "Record not found: user")
	}
	secret, id := access.NewToken(), newID()
	u, err := change(ctx, r, domain.Users, u.ID, func(s domain.User) (domain.Changes[domain.User], error) {
		return s.IssueToken(id, name, access.TokenHash(secret))
	})
	if err != nil {
		return APIToken{}, "", err
	}
	return tokenOf(u, id), secret, nil
}

func tokenOf(u domain.User, id string) APIToken {
	at := slices.IndexFunc(u.Tokens, func(t domain.Token) bool { return t.ID == id })
	return APIToken{Token: u.Tokens[at], User: u}
}

func (r *Resolver) revokeToken(ctx context.Context, id string) (APIToken, error) {
	for _, u := range r.View.Users.Each(access.Of(ctx).Organization) {
		if slices.ContainsFunc(u.Tokens, func(t domain.Token) bool { return t.ID == id }) {
			u, err := change(ctx, r, domain.Users, u.ID, func(s domain.User) (domain.Changes[domain.User], error) {
				return s.RevokeToken(id)
			})
			if err != nil {
				return APIToken{}, err
			}
			return tokenOf(u, id), nil
		}
	}
	return APIToken{}, refusal.Missing("API token")
}

// apiTokens yields every token of the organization. Its place is the user's and its own number.
func (r *Resolver) apiTokens(ctx context.Context) func(func(store.Position, APIToken) bool) {
	return func(yield func(store.Position, APIToken) bool) {
		for since, u := range r.View.Users.Each(access.Of(ctx).Organization) {
			for n, t := range u.Tokens {
				if !yield(since*versionSpan+store.Position(n+1), APIToken{Token: t, User: u}) {
					return
				}
			}
		}
	}
}

// createUser claims the e-mail address, then makes the user.
func (r *Resolver) createUser(ctx context.Context, input CreateOrganizationUserInput) (domain.User, error) {
	email, id := strings.ToLower(strings.TrimSpace(input.Email)), newID()
	create := func(u domain.User) (domain.Changes[domain.User], error) {
		return u.Create(email, deref(input.Name), domain.Role(input.Role))
	}
	if _, err := create(domain.User{}); err != nil { // before a name is claimed for nothing
		return domain.User{}, err
	}
	if err := claim(ctx, r, domain.Users, "user.email", "email", email, id); err != nil {
		return domain.User{}, err
	}
	return change(ctx, r, domain.Users, id, create)
}

// createCustomer claims the external id, if there is one, then makes the customer with a data key
// of its own.
func (r *Resolver) createCustomer(ctx context.Context, input CreateCustomerInput) (domain.Customer, error) {
	id := newID()
	key, err := r.Vault.NewDataKey(domain.CustomerKeyContext(id))
	if err != nil {
		return domain.Customer{}, err
	}
	event := domain.CustomerCreated{Name: input.Name, Description: deref(input.Description),
		ExternalID: deref(input.ExternalID),
		Labels:     values(input.Labels), Key: key}
	create := func(c domain.Customer) (domain.Changes[domain.Customer], error) { return c.Create(event) }
	if _, err := create(domain.Customer{}); err != nil { // before a name is claimed for nothing
		return domain.Customer{}, err
	}
	if event.ExternalID != "" {
		if err := claim(ctx, r, domain.Customers, "customer.externalId", "externalId", event.ExternalID,
			id); err != nil {
			return domain.Customer{}, err
		}
	}
	return change(ctx, r, domain.Customers, id, create)
}

// claim makes a name the owner's. field is the input that is refused when somebody else has it.
func claim[S any](ctx context.Context, r *Resolver, owners *domain.Category[S], kind, field, value,
	owner string) error {
	id := domain.ClaimID(access.Of(ctx).Organization, kind, value)
	standing, _, err := store.Load(ctx, r.Log, domain.Claims, id)
	if err != nil {
		return err
	}
	ownerMissing := false
	if standing.Owner != "" && standing.Owner != owner {
		_, at, err := store.Load(ctx, r.Log, owners, standing.Owner)
		if err != nil {
			return err
		}
		ownerMissing = at == store.NoStream
	}
	_, _, err = store.Change(ctx, r.Log, domain.Claims, id, func(c domain.Claim) (domain.Changes[domain.Claim], error) {
		return c.Take(owner, time.Now(), ownerMissing && c.Owner == standing.Owner)
	})
	if refusal.CodeOf(err) == refusal.Conflict {
		return refusal.ForField(refusal.Conflict, field, "%q is already in use", value)
	}
	return err
}
