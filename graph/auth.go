package graph

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"heddle/app/access"
	"heddle/domain"
	"heddle/domain/refusal"
	"heddle/projections"
)

// Authenticate finds out who makes a request by its bearer token. A request without a valid one
// goes on as nobody's: what it may not see is refused field by field.
func Authenticate(view *projections.View, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := bearer(r.Header.Get("Authorization"))
		if token == "" && r.Method == http.MethodGet && isStream(r) { // a browser's EventSource sends no headers
			token = r.URL.Query().Get("authToken")
		}
		if ctx, ok := enter(r.Context(), view, token, r.RemoteAddr); ok {
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// bearer returns the token in an Authorization header, empty when there is none.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// enter is [access.Enter] for who asks from a host and port.
func enter(ctx context.Context, view *projections.View, token, address string) (context.Context, bool) {
	remote, _, _ := net.SplitHostPort(address)
	return access.Enter(ctx, view, token, remote)
}

// permit refuses root fields that the caller's role has no right to, and traces mutations.
func (r *Resolver) permit(ctx context.Context, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	if field.Object != "Query" && field.Object != "Mutation" && field.Object != "Subscription" {
		return next(ctx)
	}
	p := access.Of(ctx)
	if p.User == "" {
		return nil, refusal.New(refusal.Unauthenticated, "needs a valid API token: send Authorization: Bearer TOKEN")
	}
	if !p.May(verbs[field.Object+"."+field.Field.Name]) {
		return nil, refusal.New(refusal.Forbidden, "the role %s may not use %s", p.Role, field.Field.Name)
	}
	if r.Tracer == nil || field.Object != "Mutation" {
		return next(ctx)
	}
	ctx, span := r.Tracer.Start(ctx, "mutation "+field.Field.Name, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	v, err := next(ctx)
	if err != nil {
		span.SetStatus(codes.Error, string(refusal.CodeOf(err))) // the code only: the words may hold what is secret
	}
	return v, err
}

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
