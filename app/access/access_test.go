package access

import (
	"strings"
	"testing"

	"heddle/domain"
)

// Rights grow with the role, nobody has none, and what is no verb nobody may do.
func TestMay(t *testing.T) {
	order := []domain.Role{"", domain.Viewer, domain.Reviewer, domain.Collaborator, domain.Admin}
	for verb := range rights {
		for i := range order[1:] {
			if May(order[i], verb) && !May(order[i+1], verb) {
				t.Errorf("%s may %s, %s may not", order[i], verb, order[i+1])
			}
		}
		if May("", verb) || !May(domain.Admin, verb) {
			t.Errorf("%s is for nobody's role or not for admins", verb)
		}
	}
	for verb, least := range map[Verb]domain.Role{Read: domain.Viewer, Review: domain.Reviewer,
		Publish: domain.Collaborator, ReadAudit: domain.Admin} {
		for i, role := range order {
			if i > 0 && role == least && (!May(role, verb) || May(order[i-1], verb)) {
				t.Errorf("the least role that may %s is not %s", verb, least)
			}
		}
	}
	if May(domain.Admin, "fly") || (Principal{}).May(Read) || !(Principal{Role: domain.Viewer}).May(Read) {
		t.Error("a right that is none")
	}
}

func TestToken(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || !strings.HasPrefix(a, "heddle_") || len(a) < 40 || TokenHash(a) == TokenHash(b) {
		t.Errorf("%s and %s", a, b)
	}
}
