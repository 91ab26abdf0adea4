package graph

import (
	"maps"
	"slices"
	"strconv"

	"heddle/domain"
)

// The sets of roles that the table below gives rights to, written here a second time on purpose: a
// slip in the table of the package must not move this one along.
var (
	allRoles  = []domain.Role{"ADMIN", "COLLABORATOR", "REVIEWER", "VIEWER"}
	building  = []domain.Role{"ADMIN", "COLLABORATOR"}
	reviewing = []domain.Role{"ADMIN", "COLLABORATOR", "REVIEWER"}
	adminish  = []domain.Role{"ADMIN"}
)

// facts are the things that the documents of the table name.
type facts struct {
	caller                                                     domain.Role // whose right is tried
	h                                                          *harness
	customer, integration, version, instance, execution, token string
	n                                                          int
}

// fresh is a word that no document has used before.
func (f *facts) fresh() string { f.n++; return "w" + strconv.Itoa(f.n) }

// rights is a valid document for each root field, and who may send it.
var rights = map[string]struct {
	may      []domain.Role
	document func(f *facts) string
}{
	"Query.__schema": {allRoles, static(`{ __schema { queryType { name } } }`)},
	"Query.__type":   {allRoles, static(`{ __type(name: "User") { name } }`)},
	"Query.node": {allRoles, func(f *facts) string {
		return `{ node(id: "` + f.execution +
			`") { id } }`
	}},
	"Query.authenticatedUser": {allRoles, static(`{ authenticatedUser { id } }`)},
	"Query.organization":      {allRoles, static(`{ organization { id } }`)},
	"Query.organizationRoles": {allRoles, static(`{ organizationRoles { id } }`)},
	"Query.users":             {allRoles, static(`{ users { nodes { id } } }`)},
	"Query.apiTokens":         {adminish, static(`{ apiTokens { nodes { id } } }`)},
	"Query.customer": {allRoles, func(f *facts) string {
		return `{ customer(id: "` + f.customer +
			`") { id } }`
	}},
	"Query.customers": {allRoles, static(`{ customers { nodes { id } } }`)},
	"Query.component": {allRoles, func(*facts) string {
		return `{ component(id: "` +
			domain.DeriveID("component", "code") + `") { id } }`
	}},
	"Query.components": {allRoles, static(`{ components { nodes { id } } }`)},
	"Query.integration": {allRoles, func(f *facts) string {
		return `{ integration(id: "` + f.integration +
			`") { id } }`
	}},
	"Query.integrations": {allRoles, static(`{ integrations { nodes { id } } }`)},
	"Query.integrationDifference": {allRoles, func(f *facts) string {
		return `{ integrationDifference(from: "` + f.version + `", to: "` + f.integration + `") { yaml } }`
	}},
	"Query.uploadMedia": {building, func(f *facts) string {
		return `{ uploadMedia(objectId: "` + f.integration +
			`", fileName: "a.txt", mediaType: ATTACHMENT) { uploadUrl } }`
	}},
	"Query.auditEvents": {adminish, static(`{ auditEvents { nodes { kind } } }`)},
	"Query.draft": {allRoles, func(f *facts) string {
		return `{ draft(id: "` + f.inReview() +
			`") { id } }`
	}},
	"Query.drafts": {allRoles, static(`{ drafts { nodes { id } } }`)},
	"Query.instance": {allRoles, func(f *facts) string {
		return `{ instance(id: "` + f.instance +
			`") { id } }`
	}},
	"Query.instances": {allRoles, static(`{ instances { nodes { id } } }`)},
	"Query.executionResult": {allRoles, func(f *facts) string {
		return `{ executionResult(id: "` + f.execution +
			`") { id } }`
	}},
	"Query.executionResults": {allRoles, static(`{ executionResults { nodes { id } } }`)},
	"Query.executionSections": {allRoles, func(f *facts) string {
		return `{ executionSections(executionResult: "` + f.execution + `") { nodes { label } } }`
	}},
	"Query.logSeverityLevels": {allRoles, static(`{ logSeverityLevels { id name } }`)},
	"Query.logs": {allRoles, func(f *facts) string {
		return `{ logs(executionResult: "` + f.execution +
			`") { nodes { message } } }`
	}},

	"Subscription.executionProgress": {allRoles, func(f *facts) string {
		return `subscription { executionProgress(executionId: "` + f.execution + `") { type } }`
	}},
	"Subscription.logTail": {allRoles, func(f *facts) string {
		return `subscription { logTail(executionId: "` + f.execution + `") { cursor } }`
	}},
	"Subscription.instanceChanged": {allRoles, func(f *facts) string {
		return `subscription { instanceChanged(id: "` +
			f.instance + `") { id } }`
	}},
	"Subscription.integrationChanged": {allRoles, func(f *facts) string {
		return `subscription { integrationChanged(id: "` + f.integration + `") { id } }`
	}},

	"Subscription.draftFeed": {allRoles, func(f *facts) string {
		return `subscription { draftFeed(id: "` +
			f.inReview() + `") { type } }`
	}},
	"Subscription.draftsChanged": {allRoles, static(`subscription { draftsChanged { totalCount } }`)},

	"Query.notifications": {allRoles, static(`{ notifications { nodes { type } } }`)},
	"Subscription.notificationAdded": {allRoles, func(f *facts) string {
		f.told()
		return `subscription { notificationAdded { type } }`
	}},

	"Subscription.draftPresence": {allRoles, func(f *facts) string {
		return `subscription { draftPresence(id: "` + f.inReview() + `", session: "s") { presences { session } } }`
	}},
	"Mutation.movePresence": {allRoles, func(f *facts) string {
		return `mutation { movePresence(input: {draft: "` + f.inReview() + `", session: "s"}) { errors { field } } }`
	}},

	"Mutation.createDraft": {building, func(f *facts) string {
		return `mutation { createDraft(input: {id: "` + f.integration + `", name: "` + f.fresh() +
			`"}) { draft { id } errors { field } } }`
	}},
	"Mutation.updateDraft": {building, func(f *facts) string {
		return `mutation { updateDraft(input: {id: "` + f.h.drafted(f.integration, f.fresh()) + `", name: "` +
			f.fresh() + `"}) { draft { id } errors { field } } }`
	}},
	"Mutation.rebaseDraft": {building, func(f *facts) string {
		return `mutation { rebaseDraft(input: {` + f.edited() + `}) { draft { id } errors { field } } }`
	}},
	"Mutation.requestReview": {building, func(f *facts) string {
		return `mutation { requestReview(input: {id: "` + f.h.imported(f.h.org, shop) +
			`"}) { draft { id } errors { field } } }`
	}},
	"Mutation.withdrawReview": {building, func(f *facts) string {
		return `mutation { withdrawReview(input: {id: "` + f.inReview() + `"}) { draft { id } errors { field } } }`
	}},
	"Mutation.giveVerdict": {reviewing, func(f *facts) string {
		return `mutation { giveVerdict(input: {id: "` + f.inReview() +
			`", approves: false, comment: "No."}) { draft { id } errors { field } } }`
	}},
	"Mutation.withdrawVerdict": {reviewing, func(f *facts) string {
		return `mutation { withdrawVerdict(input: {id: "` + f.inReview() + `"}) { draft { id } errors { field } } }`
	}},
	"Mutation.dismissVerdict": {building, func(f *facts) string {
		return `mutation { dismissVerdict(input: {id: "` + f.inReview() + `", reviewer: "` +
			f.h.users[domain.Reviewer] + `", reason: "r"}) { draft { id } errors { field } } }`
	}},
	"Mutation.setReviewPolicy": {adminish, func(f *facts) string {
		return `mutation { setReviewPolicy(input: {integration: "` + f.integration +
			`", bypass: ["ADMIN"]}) { reviewPolicy { approvals } errors { field } } }`
	}},
	"Mutation.openThread": {reviewing, func(f *facts) string {
		return `mutation { openThread(input: {id: "` + f.inReview() +
			`", text: "t"}) { thread { id } errors { field } } }`
	}},
	"Mutation.replyToThread": {reviewing, func(f *facts) string {
		return `mutation { replyToThread(input: {` + f.threaded() + `, text: "t"}) { thread { id } errors { field } } }`
	}},
	"Mutation.editComment": {reviewing, func(f *facts) string {
		id, thread := f.thread()
		return `mutation { editComment(input: {id: "` + id + `", thread: "` + thread + `", comment: "` + thread +
			`", text: "Rename it."}) { thread { id } errors { field } } }`
	}},
	"Mutation.resolveThread": {reviewing, func(f *facts) string {
		return `mutation { resolveThread(input: {` + f.threaded() + `}) { thread { id } errors { field } } }`
	}},
	"Mutation.applySuggestion": {building, func(f *facts) string {
		return `mutation { applySuggestion(input: {` + f.threaded() + `}) { thread { id } errors { field } } }`
	}},
	"Mutation.schedulePublish": {building, func(f *facts) string {
		return `mutation { schedulePublish(input: {id: "` + f.h.imported(f.h.org, shop) +
			`", at: "2100-01-01T00:00:00Z"}) { draft { id } errors { field } } }`
	}},
	"Mutation.unschedulePublish": {building, func(f *facts) string {
		return `mutation { unschedulePublish(input: {id: "` + f.inReview() + `"}) { draft { id } errors { field } } }`
	}},

	"Mutation.createOrganizationUser": {adminish, func(f *facts) string {
		return `mutation { createOrganizationUser(input: {email: "` + f.fresh() +
			`@weavers.example", role: "VIEWER"}) { user { id } errors { field } } }`
	}},
	"Mutation.createApiToken": {adminish, func(f *facts) string {
		return `mutation { createApiToken(input: {name: "` + f.fresh() + `"}) { secret errors { field } } }`
	}},
	"Mutation.revokeApiToken": {adminish, func(f *facts) string {
		return `mutation { revokeApiToken(input: {id: "` + f.token + `"}) { apiToken { id } errors { field } } }`
	}},
	"Mutation.createCustomer": {building, func(f *facts) string {
		return `mutation { createCustomer(input: {name: "` + f.fresh() + `"}) { customer { id } errors { field } } }`
	}},
	"Mutation.createIntegration": {building, func(f *facts) string {
		return `mutation { createIntegration(input: {name: "` + f.fresh() +
			`"}) { integration { id } errors { field } } }`
	}},
	"Mutation.updateIntegration": {building, func(f *facts) string {
		return `mutation { updateIntegration(input: {id: "` + f.integration + `", category: "` + f.fresh() +
			`"}) { integration { id } errors { field } } }`
	}},
	"Mutation.addIntegrationAttachment": {building, func(f *facts) string {
		return `mutation { addIntegrationAttachment(input: {id: "` + f.integration + `", url: "` +
			f.h.stored(f.integration, MediaTypeAttachment, "a.txt", "a") +
			`"}) { integration { id } errors { field } } }`
	}},
	"Mutation.removeIntegrationAttachment": {building, func(f *facts) string {
		return `mutation { removeIntegrationAttachment(input: {id: "` + f.integration + `", attachment: "` +
			f.h.attach(f.integration, "a.txt", "a") + `"}) { integration { id } errors { field } } }`
	}},
	"Mutation.forkIntegration": {building, func(f *facts) string {
		return `mutation { forkIntegration(input: {parent: "` + f.version + `", name: "` + f.fresh() +
			`"}) { integration { id } errors { field } } }`
	}},
	"Mutation.editDraft": {building, func(f *facts) string {
		return `mutation { editDraft(input: {` + f.edited() +
			`, changes: [{op: SET, path: ["name"], value: "\"N\""}]}) { integration { id } errors { field } } }`
	}},
	"Mutation.undoDraft": {building, func(f *facts) string {
		return `mutation { undoDraft(input: {` + f.edited() + `}) { integration { id } errors { field } } }`
	}},
	"Mutation.discardDraft": {building, func(f *facts) string {
		return `mutation { discardDraft(input: {` + f.edited() + `}) { integration { id } errors { field } } }`
	}},
	"Mutation.importIntegration": {building, func(*facts) string {
		return `mutation { importIntegration(input: {definition: ` + strconv.Quote(shop) +
			`}) { integration { id } errors { field } } }`
	}},
	"Mutation.validateIntegrationSchema": {allRoles, func(*facts) string {
		return `mutation { validateIntegrationSchema(input: {definition: ` + strconv.Quote(shop) +
			`}) { result { isValid } errors { field } } }`
	}},
	"Mutation.rollBackIntegration": {building, func(f *facts) string {
		return `mutation { rollBackIntegration(input: {id: "` + f.rolledBack() +
			`"}) { integration { id } errors { field } } }`
	}},
	"Mutation.deleteIntegration": {building, func(f *facts) string {
		return `mutation { deleteIntegration(input: {id: "` + f.h.imported(f.h.org, shop) +
			`"}) { integration { id } errors { field } } }`
	}},
	"Mutation.updateIntegrationVersion": {building, func(f *facts) string {
		return `mutation { updateIntegrationVersion(input: {id: "` + f.version + `", comment: "` + f.fresh() +
			`"}) { integration { id } errors { field } } }`
	}},
	"Mutation.updateIntegrationVersionAvailability": {building, func(f *facts) string {
		return `mutation { updateIntegrationVersionAvailability(input: {id: "` + f.version +
			`", available: true}) { integration { id } errors { field } } }`
	}},
	"Mutation.updateIntegrationMarketplaceConfiguration": {building, func(f *facts) string {
		return `mutation { updateIntegrationMarketplaceConfiguration(input: {id: "` + f.version + `", overview: "` +
			f.fresh() + `"}) { integration { id } errors { field } } }`
	}},
	"Mutation.publishIntegration": {building, func(f *facts) string {
		return `mutation { publishIntegration(input: {id: "` + f.h.imported(f.h.org, shop) +
			`"}) { integration { id } errors { field } } }`
	}},
	"Mutation.createInstance": {building, func(f *facts) string {
		return `mutation { createInstance(input: {name: "I", integration: "` + f.version + `", customer: "` +
			f.customer + `"}) { instance { id } errors { field } } }`
	}},
	"Mutation.deployInstance": {building, func(f *facts) string {
		return `mutation { deployInstance(input: {id: "` + f.instance +
			`", force: true}) { instance { id } errors { field } } }`
	}},
	"Mutation.updateInstance": {building, func(f *facts) string {
		return `mutation { updateInstance(input: {id: "` + f.instance + `", name: "` + f.fresh() +
			`"}) { instance { id } errors { field } } }`
	}},
	"Mutation.updateInstanceConfigVariables": {building, func(f *facts) string {
		return `mutation { updateInstanceConfigVariables(input: {id: "` + f.instance +
			`", configVariables: [{key: "Shop URL", value: "` + f.fresh() +
			`"}]}) { instance { id } errors { field } } }`
	}},
	"Mutation.deleteInstance": {building, func(f *facts) string {
		return `mutation { deleteInstance(input: {id: "` + f.h.instance(f.h.org, f.fresh(), f.integration, f.customer) +
			`"}) { instance { id } errors { field } } }`
	}},
	"Mutation.cancelExecution": {building, func(f *facts) string {
		return `mutation { cancelExecution(input: {id: "` + f.h.executed(f.h.org, f.instance, 0) +
			`"}) { executionResult { id } errors { field } } }`
	}},
	"Mutation.replayExecution": {building, func(f *facts) string {
		return `mutation { replayExecution(input: {id: "` + f.h.executed(f.h.org,
			domain.SystemInstanceID(f.integration), 0) + `"}) { executionResult { id } errors { field } } }`
	}},
}

// rolledBack is a version that another one has followed.
func (f *facts) rolledBack() string {
	id := f.h.imported(f.h.org, shop)
	version := f.h.published(f.h.org, id)
	f.h.doAs(f.h.org, describeDocument, vars{"input": vars{"id": id, "name": f.fresh()}})
	f.h.published(f.h.org, id)
	return version
}

// inReview is an integration whose main draft is under review, with the reviewer's verdict, and whose
// verdicts all who publish may dismiss.
func (f *facts) inReview() string {
	id := f.h.imported(f.h.org, shop)
	f.h.doAs(f.h.org, `mutation ($id: ID!) { setReviewPolicy(input: {integration: $id, bypass: ["ADMIN", "COLLABORATOR"]}) { errors { field } } requestReview(input: {id: $id}) { errors { field } } }`, vars{"id": id})
	f.h.ask(f.h.tokens[domain.Reviewer], `mutation ($id: ID!) { giveVerdict(input: {id: $id, approves: true}) { errors { field } } }`, vars{"id": id})
	return id
}

// told tells everybody of something.
func (f *facts) told() {
	e := domain.ReviewRequested{Review: f.fresh(), Reviewers: slices.Collect(maps.Values(f.h.users))}
	happen(f.h, f.h.system(f.h.t.Context()), domain.Drafts, domain.MainDraftID(f.h.imported(f.h.org, shop), 0), e)
}

// thread is one on a draft, with a suggestion, and the caller's own if they may have one.
func (f *facts) thread() (id, thread string) {
	id = f.h.imported(f.h.org, shop)
	opener := f.h.tokens[domain.Admin]
	if slices.Contains(reviewing, f.caller) {
		opener = f.h.tokens[f.caller]
	}
	a := f.h.ask(opener, `mutation ($id: ID!) { openThread(input: {id: $id, text: "Rename it.", suggestion: [{op: SET, path: ["name"], value: "\"Other\""}]}) { thread { id } } }`, vars{"id": id})
	return id, a.text("openThread.thread.id")
}

func (f *facts) threaded() string {
	id, thread := f.thread()
	return `id: "` + id + `", thread: "` + thread + `"`
}

// edited names an integration with a version and an edit after it, as an editor does.
func (f *facts) edited() string {
	id := f.h.imported(f.h.org, shop)
	f.h.published(f.h.org, id)
	f.h.doAs(f.h.org, describeDocument, vars{"input": vars{"id": id, "name": f.fresh()}})
	return `id: "` + id + `", expectedRevision: "1.1"`
}

func static(document string) func(*facts) string { return func(*facts) string { return document } }
