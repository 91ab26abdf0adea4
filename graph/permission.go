package graph

import (
	"heddle/app/access"
	"heddle/domain"
)

// verbs has what a principal must be allowed to do for each root field. A field that is not here nobody may use.
var verbs = map[string]access.Verb{
	"Query.__schema":              access.Read,
	"Query.__type":                access.Read,
	"Query.node":                  access.Read,
	"Query.authenticatedUser":     access.Read,
	"Query.organization":          access.Read,
	"Query.organizationRoles":     access.Read,
	"Query.users":                 access.Read,
	"Query.apiTokens":             access.ManageUsers,
	"Query.customer":              access.Read,
	"Query.customers":             access.Read,
	"Query.component":             access.Read,
	"Query.components":            access.Read,
	"Query.integration":           access.Read,
	"Query.integrations":          access.Read,
	"Query.integrationDifference": access.Read,
	"Query.uploadMedia":           access.Edit,
	"Query.auditEvents":           access.ReadAudit,
	"Query.draft":                 access.Read,
	"Query.drafts":                access.Read,
	"Query.notifications":         access.Read,
	"Query.instance":              access.Read,
	"Query.instances":             access.Read,
	"Query.executionResult":       access.Read,
	"Query.executionResults":      access.Read,
	"Query.executionSections":     access.Read,
	"Query.logSeverityLevels":     access.Read,
	"Query.logs":                  access.Read,

	"Subscription.executionProgress":  access.Read,
	"Subscription.logTail":            access.Read,
	"Subscription.instanceChanged":    access.Read,
	"Subscription.integrationChanged": access.Read,
	"Subscription.draftFeed":          access.Read,
	"Subscription.draftsChanged":      access.Read,
	"Subscription.draftPresence":      access.Read,
	"Subscription.notificationAdded":  access.Read,

	"Mutation.createOrganizationUser":               access.ManageUsers,
	"Mutation.createApiToken":                       access.ManageUsers,
	"Mutation.revokeApiToken":                       access.ManageUsers,
	"Mutation.createCustomer":                       access.ManageCustomers,
	"Mutation.createIntegration":                    access.Edit,
	"Mutation.updateIntegration":                    access.Edit,
	"Mutation.addIntegrationAttachment":             access.Edit,
	"Mutation.removeIntegrationAttachment":          access.Edit,
	"Mutation.forkIntegration":                      access.Edit,
	"Mutation.editDraft":                            access.Edit,
	"Mutation.undoDraft":                            access.Edit,
	"Mutation.discardDraft":                         access.Edit,
	"Mutation.createDraft":                          access.Edit,
	"Mutation.updateDraft":                          access.Edit,
	"Mutation.rebaseDraft":                          access.Edit,
	"Mutation.requestReview":                        access.Edit,
	"Mutation.withdrawReview":                       access.Edit,
	"Mutation.giveVerdict":                          access.Review,
	"Mutation.withdrawVerdict":                      access.Review,
	"Mutation.dismissVerdict":                       access.Edit,
	"Mutation.setReviewPolicy":                      access.ManagePolicy,
	"Mutation.openThread":                           access.Review,
	"Mutation.replyToThread":                        access.Review,
	"Mutation.editComment":                          access.Review,
	"Mutation.resolveThread":                        access.Review,
	"Mutation.applySuggestion":                      access.Edit,
	"Mutation.movePresence":                         access.Read,
	"Mutation.schedulePublish":                      access.Publish,
	"Mutation.unschedulePublish":                    access.Publish,
	"Mutation.importIntegration":                    access.Edit,
	"Mutation.validateIntegrationSchema":            access.Read,
	"Mutation.rollBackIntegration":                  access.Publish,
	"Mutation.deleteIntegration":                    access.Edit,
	"Mutation.updateIntegrationVersion":             access.Publish,
	"Mutation.updateIntegrationVersionAvailability": access.Publish,
	"Mutation.publishIntegration":                   access.Publish,
	"Mutation.createInstance":                       access.Deploy,
	"Mutation.deployInstance":                       access.Deploy,
	"Mutation.updateInstance":                       access.Deploy,
	"Mutation.deleteInstance":                       access.Deploy,
	"Mutation.cancelExecution":                      access.Operate,
	"Mutation.replayExecution":                      access.Operate,

	"Mutation.updateIntegrationMarketplaceConfiguration": access.Publish,
	"Mutation.updateInstanceConfigVariables":             access.Deploy,
}

// roles has the domain's roles as the schema shows them; a role's id is its name.
var roles = func() []Role {
	var all []Role
	for i, r := range domain.Roles {
		all = append(all, Role{ID: string(r.Role), Name: string(r.Role), Description: r.Description,
			Level: len(domain.Roles) - i})
	}
	return all
}()
