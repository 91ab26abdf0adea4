package domain

import (
	"slices"
	"strings"
	"time"

	"heddle/domain/refusal"
)

// Role is a set of rights; package access defines them.
type Role string

// The roles, from all rights to reading only.
const (
	Admin        Role = "ADMIN"
	Collaborator Role = "COLLABORATOR"
	Reviewer     Role = "REVIEWER"
	Viewer       Role = "VIEWER"
)

// Roles lists every role with what it is for, the mightiest first.
var Roles = []struct {
	Role        Role
	Description string
}{
	{Admin, "Does everything, users and tokens included."},
	{Collaborator, "Builds, publishes and deploys integrations and looks after customers."},
	{Reviewer, "Reads everything and gives verdicts in reviews."},
	{Viewer, "Reads everything, changes nothing."},
}

// User is a person or machine that acts in an organization.
type User struct {
	ID           string
	Organization string
	Email        string
	Name         string
	Role         Role
	Tokens       []Token
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Token is a bearer token of a user. Only its hash is ever stored.
type Token struct {
	ID        string
	Name      string
	Hash      string // SHA-256 of the token, hex
	CreatedAt time.Time
	RevokedAt time.Time // zero while it is valid
}

// Users is the category of [User].
var Users = NewCategory("user",
	Kind[UserCreated]("UserCreated"),
	Kind[TokenIssued]("TokenIssued"),
	Kind[TokenRevoked]("TokenRevoked"),
).With(Traits{InView: true, Audited: true})

// UserCreated is the first event of a user.
type UserCreated struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
	Role  Role   `json:"role"`
}

// Evolve implements [Event].
func (e UserCreated) Evolve(_ User, m Meta) User {
	return User{ID: m.Aggregate, Organization: m.Organization, Email: e.Email, Name: e.Name, Role: e.Role,
		CreatedAt: m.Time, UpdatedAt: m.Time}
}

// TokenIssued gives a user a new API token.
type TokenIssued struct {
	Token string `json:"token"` // id, not the secret
	Name  string `json:"name"`
	Hash  string `json:"hash"`
}

// Evolve implements [Event].
func (e TokenIssued) Evolve(u User, m Meta) User {
	u.Tokens = append(slices.Clone(u.Tokens), Token{ID: e.Token, Name: e.Name, Hash: e.Hash, CreatedAt: m.Time})
	u.UpdatedAt = m.Time
	return u
}

// TokenRevoked ends a token for ever.
type TokenRevoked struct {
	Token string `json:"token"`
}

// Evolve implements [Event].
func (e TokenRevoked) Evolve(u User, m Meta) User {
	u.Tokens = slices.Clone(u.Tokens)
	for i := range u.Tokens {
		if u.Tokens[i].ID == e.Token {
			u.Tokens[i].RevokedAt = m.Time
		}
	}
	u.UpdatedAt = m.Time
	return u
}

// Create makes the user, once. The e-mail address is claimed beforehand.
func (u User) Create(email, name string, role Role) (Changes[User], error) {
	if u.ID != "" {
		return nil, nil
	}
	if at := strings.Index(email, "@"); at < 1 || at == len(email)-1 || strings.ContainsAny(email, " \t\r\n") {
		return nil, refusal.ForField(refusal.Invalid, "email", "%q is not an e-mail address", email)
	}
	if !role.known() {
		return nil, refusal.ForField(refusal.Invalid, "role", "%q is not a role; see organizationRoles", role)
	}
	return Changes[User]{UserCreated{Email: email, Name: name, Role: role}}, nil
}

// IssueToken records a new token by its hash. Issuing the same one again changes nothing.
func (u User) IssueToken(id, name, hash string) (Changes[User], error) {
	if u.ID == "" {
		return nil, refusal.New(refusal.NotFound, "Record not found: user")
	}
	if strings.TrimSpace(name) == "" {
		return nil, refusal.ForField(refusal.Invalid, "name", "must not be empty: it tells one token from another")
	}
	if slices.ContainsFunc(u.Tokens, func(t Token) bool { return t.ID == id }) {
		return nil, nil
	}
	return Changes[User]{TokenIssued{Token: id, Name: name, Hash: hash}}, nil
}

// RevokeToken ends a token. Revoking twice changes nothing.
func (u User) RevokeToken(id string) (Changes[User], error) {
	for _, t := range u.Tokens {
		if t.ID == id {
			if !t.RevokedAt.IsZero() {
				return nil, nil
			}
			return Changes[User]{TokenRevoked{Token: id}}, nil
		}
	}
	return nil, refusal.ForField(refusal.NotFound, "id", "Record not found: API token")
}

// Holds reports whether a token is the user's and has not been revoked.
func (u User) Holds(token string) bool {
	return slices.ContainsFunc(u.Tokens, func(t Token) bool { return t.ID == token && t.RevokedAt.IsZero() })
}

func (r Role) known() bool {
	for _, known := range Roles {
		if known.Role == r {
			return true
		}
	}
	return false
}
