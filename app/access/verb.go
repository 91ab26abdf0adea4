package access

import (
	"slices"

	"heddle/domain"
)

// Verb is something that a principal may do.
type Verb string

// The verbs.
const (
	Read            Verb = "read"             // all that is neither secret nor the audit
	ReadAudit       Verb = "read audit"       // who did what
	ManageUsers     Verb = "manage users"     // users and their API tokens
	ManagePolicy    Verb = "manage policy"    // what a review needs
	ManageCustomers Verb = "manage customers" // and what they are called
	Edit            Verb = "edit"             // integrations, their drafts and files
	Review          Verb = "review"           // verdicts and comments
	Publish         Verb = "publish"          // drafts as versions, now or later
	Deploy          Verb = "deploy"           // instances, their configuration and secrets
	Operate         Verb = "operate"          // executions: cancel, replay
)

// everyone, reviewers, builders and admins are the sets of roles that verbs are given to.
var (
	everyone  = []domain.Role{domain.Admin, domain.Collaborator, domain.Reviewer, domain.Viewer}
	reviewers = []domain.Role{domain.Admin, domain.Collaborator, domain.Reviewer}
	builders  = []domain.Role{domain.Admin, domain.Collaborator}
	admins    = []domain.Role{domain.Admin}
)

// rights has the roles that may do each verb. What is not here nobody may do.
var rights = map[Verb][]domain.Role{
	Read:            everyone,
	ReadAudit:       admins,
	ManageUsers:     admins,
	ManagePolicy:    admins,
	ManageCustomers: builders,
	Edit:            builders,
	Review:          reviewers,
	Publish:         builders,
	Deploy:          builders,
	Operate:         builders,
}

// May reports whether a role has the right to a verb.
func May(role domain.Role, verb Verb) bool { return slices.Contains(rights[verb], role) }

// May reports whether the principal may do something.
func (p Principal) May(verb Verb) bool { return May(p.Role, verb) }
