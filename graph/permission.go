package graph

import (
	"slices"

	"heddle/domain"
)

// everyone, reviewers, builders and admins are the sets of roles that rights are given to.
var (
	everyone  = []domain.Role{domain.Admin, domain.Collaborator, domain.Reviewer, domain.Viewer}
	reviewers = []domain.Role{domain.Admin, domain.Collaborator, domain.Reviewer}
	builders  = []domain.Role{domain.Admin, domain.Collaborator}
	admins    = []domain.Role{domain.Admin}
)

// permissions tells for each root field who may use it. A field that is not here nobody may use.
var permissions = map[string][]domain.Role{
	"Query.__schema":              everyone,
	"Query.__type":                everyone,
	"Query.node":                  everyone,
	"Query.authenticatedUser":     everyone,
	"Query.organization":          everyone,
	"Query.organizationRoles":     everyone,
	"Query.users":                 everyone,
	"Query.apiTokens":             admins,
	"Query.customer":              everyone,
	"Query.customers":             everyone,
	"Query.component":             everyone,
	"Query.components":            everyone,
	"Query.integration":           everyone,
	"Query.integrations":          everyone,
	"Query.integrationDifference": everyone,
	"Query.uploadMedia":           builders,
	"Query.auditEvents":           admins,
	"Query.draft":                 everyone,
	"Query.drafts":                everyone,
	"Query.notifications":         everyone,
	"Query.instance":              everyone,
	"Query.instances":             everyone,
	"Query.executionResult":       everyone,
	"Query.executionResults":      everyone,
	"Query.executionSections":     everyone,
	"Query.logSeverityLevels":     everyone,
	"Query.logs":                  everyone,

	"Subscription.executionProgress":  everyone,
	"Subscription.logTail":            everyone,
	"Subscription.instanceChanged":    everyone,
	"Subscription.integrationChanged": everyone,
	"Subscription.draftFeed":          everyone,
	"Subscription.draftsChanged":      everyone,
	"Subscription.draftPresence":      everyone,
	"Subscription.notificationAdded":  everyone,

	"Mutation.createOrganizationUser":               admins,
	"Mutation.createApiToken":                       admins,
	"Mutation.revokeApiToken":                       admins,
	"Mutation.createCustomer":                       builders,
	"Mutation.createIntegration":                    builders,
	"Mutation.updateIntegration":                    builders,
	"Mutation.addIntegrationAttachment":             builders,
	"Mutation.removeIntegrationAttachment":          builders,
	"Mutation.forkIntegration":                      builders,
	"Mutation.editDraft":                            builders,
	"Mutation.undoDraft":                            builders,
	"Mutation.discardDraft":                         builders,
	"Mutation.createDraft":                          builders,
	"Mutation.updateDraft":                          builders,
	"Mutation.rebaseDraft":                          builders,
	"Mutation.requestReview":                        builders,
	"Mutation.withdrawReview":                       builders,
	"Mutation.giveVerdict":                          reviewers,
	"Mutation.withdrawVerdict":                      reviewers,
	"Mutation.dismissVerdict":                       builders,
	"Mutation.setReviewPolicy":                      admins,
	"Mutation.openThread":                           reviewers,
	"Mutation.replyToThread":                        reviewers,
	"Mutation.editComment":                          reviewers,
	"Mutation.resolveThread":                        reviewers,
	"Mutation.applySuggestion":                      builders,
	"Mutation.movePresence":                         everyone,
	"Mutation.schedulePublish":                      builders,
	"Mutation.unschedulePublish":                    builders,
	"Mutation.importIntegration":                    builders,
	"Mutation.validateIntegrationSchema":            everyone,
	"Mutation.rollBackIntegration":                  builders,
	"Mutation.deleteIntegration":                    builders,
	"Mutation.updateIntegrationVersion":             builders,
	"Mutation.updateIntegrationVersionAvailability": builders,
	"Mutation.publishIntegration":                   builders,
	"Mutation.createInstance":                       builders,
	"Mutation.deployInstance":                       builders,
	"Mutation.updateInstance":                       builders,
	"Mutation.deleteInstance":                       builders,
	"Mutation.cancelExecution":                      builders,
	"Mutation.replayExecution":                      builders,

	"Mutation.updateIntegrationMarketplaceConfiguration": builders,
	"Mutation.updateInstanceConfigVariables":             builders,
}

func may(role domain.Role, field string) bool { return slices.Contains(permissions[field], role) }

// roles is what the schema tells of the domain's roles; a role's id is its name.
var roles = func() []Role {
	var all []Role
	for i, r := range domain.Roles {
		all = append(all, Role{ID: string(r.Role), Name: string(r.Role), Description: r.Description, Level: len(domain.Roles) - i})
	}
	return all
}()
