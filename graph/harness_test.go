package graph

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"heddle/app/access"
	"heddle/app/authoring"
	"heddle/app/deployment"
	"heddle/app/secrets"
	"heddle/component"
	"heddle/component/builtin"
	"heddle/domain"
	"heddle/projections"
	"heddle/store"
	"heddle/store/blobs"
	"heddle/store/live"
	"heddle/store/vault"
)

// shop is a definition with two flows, a plain config variable and a connection.
//
//go:embed testdata/shop.yaml
var shop string

// harness is the whole door over a log in memory, with an organization whose users have one role each.
type harness struct {
	*Resolver
	t       testing.TB
	handler http.Handler
	address string // of the handler on a real socket, once listen was called
	logged  *logged
	client  *http.Client // of WebSockets, nil for the usual one
	org                  // the organization that tests act in
}

// org is an organization with a user and a token of each role.
type org struct {
	id     string
	users  map[domain.Role]string
	tokens map[domain.Role]string
}

// logged is what the server logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newHarness(t testing.TB, edit ...func(*Options)) *harness {
	t.Helper()
	h := &harness{t: t, logged: &logged{}}
	logger := slog.New(slog.NewJSONHandler(h.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	log := store.NewMemory()
	kept, err := blobs.Open(t.Context(), "mem://")
	h.must(err)
	vault, err := vault.Open(make([]byte, vault.MasterKeySize))
	h.must(err)
	view := projections.NewView(log, logger)
	runs, err := projections.OpenRunIndex(t.Context(), filepath.Join(t.TempDir(), "runs.db"), log, logger)
	h.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	readers.Go(func() { _ = view.Run(ctx) })
	readers.Go(func() { _ = runs.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		readers.Wait()
		for _, c := range []io.Closer{runs, kept, log} {
			h.must(c.Close())
		}
	})
	h.Resolver = &Resolver{Live: live.NewMemory(), Log: log, View: view, Runs: runs,
		Definitions: projections.NewDefinitions(kept, 1<<20), Blobs: kept, Vault: vault,
		Components: component.New(builtin.Components()...), Logger: logger, PublicURL: "http://heddle.test",
		Limits: domain.DefaultDraftLimits,
		Files:  domain.DefaultFileLimits, AddressTime: time.Hour}
	keeper := secrets.Keeper{View: view, Vault: vault}
	h.Deployment = &deployment.Service{Log: log, View: view, Definitions: h.Definitions, Secrets: keeper}
	h.Authoring = &authoring.Service{Log: log, View: view, Definitions: h.Definitions, Secrets: keeper,
		Components: h.Components, Limits: h.Limits, Logger: logger}
	o := DefaultOptions()
	stopping, stop := context.WithCancel(context.Background())
	o.Stopping = stopping
	for _, e := range edit {
		e(&o)
	}
	door, err := NewHandler(h.Resolver, o)
	h.must(err)
	h.handler = door
	t.Cleanup(func() {
		stop()
		door.Wait()
	})
	h.org = h.organization("Weavers")
	return h
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// organization makes an organization by events, as the first start does.
func (h *harness) organization(name string) org {
	h.t.Helper()
	o := org{id: uuid.NewString(), users: map[domain.Role]string{}, tokens: map[domain.Role]string{}}
	key, err := h.Vault.NewDataKey(domain.OrganizationKeyContext(o.id))
	h.must(err)
	ctx := o.system(h.t.Context())
	happen(h, ctx, domain.Organizations, o.id, domain.OrganizationCreated{Name: name, Key: key})
	for _, r := range domain.Roles {
		user := uuid.NewString()
		o.users[r.Role], o.tokens[r.Role] = user, "heddle_"+uuid.NewString()
		happen(h, ctx, domain.Users, user, domain.UserCreated{Email: strings.ToLower(string(r.Role)) + "@" + o.id +
			".example", Name: string(r.Role), Role: r.Role},
			domain.TokenIssued{Token: uuid.NewString(), Name: "test", Hash: access.TokenHash(o.tokens[r.Role])})
	}
	return o
}

func (o org) system(ctx context.Context) context.Context {
	return store.As(ctx, store.Author{Organization: o.id, Actor: "system"})
}

// as is a context in which the organization's administrator makes changes.
func (h *harness) as(o org) context.Context {
	ctx := access.With(h.t.Context(), access.Principal{Organization: o.id, User: o.users[domain.Admin],
		Role: domain.Admin})
	return store.As(ctx, store.Author{Organization: o.id, Actor: o.users[domain.Admin]})
}

// happen appends events as they are and waits until both readers know them.
func happen[S any](h *harness, ctx context.Context, c *domain.Category[S], id string, events ...domain.Event[S]) {
	h.t.Helper()
	_, pos, err := store.Change(ctx, h.Log, c, id, func(S) (domain.Changes[S], error) { return events, nil })
	h.must(err)
	h.must(h.View.Wait(ctx, pos))
	h.must(h.Runs.Wait(ctx, pos))
}

// events lists what is in the log, as stream and kind, up to where it ends now.
func (h *harness) events() []store.Recorded {
	h.t.Helper()
	var all []store.Recorded
	for r, err := range h.Log.Follow(h.t.Context(), 0, store.Filter{}) {
		h.must(err)
		if r.Mark() {
			break
		}
		all = append(all, r)
	}
	return all
}

// since returns the kinds of the events after the first n, in order.
func (h *harness) since(n int) string {
	h.t.Helper()
	var kinds []string
	for _, r := range h.events()[n:] {
		kinds = append(kinds, r.Kind)
	}
	return strings.Join(kinds, " ")
}

// vars are the variables of a document.
type vars = map[string]any

// reply is an answer as a client gets it.
type reply struct {
	status int
	header http.Header
	body   string
	Data   json.RawMessage `json:"data"` // nil when the key is missing, "null" when it is null
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
}

// code is the code of the only error, or what else there is.
func (r reply) code() string {
	if len(r.Errors) != 1 {
		return strconv.Itoa(len(r.Errors)) + " errors"
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

// at finds a value in the data by a path such as customer.labels.0; missing ones are nil.
func (r reply) at(path string) any {
	var v any
	if json.Unmarshal(r.Data, &v) != nil {
		return nil
	}
	for _, key := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

func (r reply) text(path string) string { s, _ := r.at(path).(string); return s }

// texts lists a field of each element of a list.
func (r reply) texts(list, field string) string {
	elements, _ := r.at(list).([]any)
	var all []string
	for i := range elements {
		all = append(all, r.text(list+"."+strconv.Itoa(i)+"."+field))
	}
	return strings.Join(all, " ")
}

// refused tells a payload's errors, each as field: messages.
func (r reply) refused(field string) string {
	list, _ := r.at(field + ".errors").([]any)
	var all []string
	for _, e := range list {
		e := e.(map[string]any)
		for _, m := range e["messages"].([]any) {
			all = append(all, e["field"].(string)+": "+m.(string))
		}
	}
	return strings.Join(all, "\n")
}

// request is a POST of a body; headers are name, value pairs.
func request(body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/api", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (h *harness) send(r *http.Request) reply {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	a := reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a) // what is no JSON has no data and no errors
	return a
}

// ask sends a document with a token, none if it is empty.
func (h *harness) ask(token, document string, v vars) reply {
	h.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": v})
	h.must(err)
	r := request(string(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return h.send(r)
}

// do sends a document as the administrator; any error ends the test.
func (h *harness) do(document string, v vars) reply {
	h.t.Helper()
	return h.doAs(h.org, document, v)
}

func (h *harness) doAs(o org, document string, v vars) reply {
	h.t.Helper()
	a := h.ask(o.tokens[domain.Admin], document, v)
	if a.status != http.StatusOK || len(a.Errors) > 0 || a.Data == nil {
		h.t.Fatalf("%s\nanswered %d %s", document, a.status, a.body)
	}
	return a
}

const errorFields = ` errors { field messages } `

// The documents that most tests need.
const (
	importDocument = `mutation ($definition: String!, $onto: ID) { importIntegration(input: {definition: $definition, integrationId: $onto}) {
		integration { id name versionNumber systemInstance { id } flows { nodes { id part name testUrl } } } warnings { line flow step message } ` + errorFields + `} }`
	publishDocument = `mutation ($id: ID!, $comment: String, $attributes: String) { publishIntegration(input: {id: $id, comment: $comment, attributes: $attributes}) {
		integration { id versionNumber versionComment versionIsAvailable versionCreatedBy { id } } ` + errorFields + `} }`
	customerDocument = `mutation ($name: String!, $externalId: String, $labels: [String]) { createCustomer(input: {name: $name, externalId: $externalId, labels: $labels}) {
		customer { id name externalId labels } ` + errorFields + `} }`
	instanceDocument = `mutation ($name: String!, $integration: ID!, $customer: ID!, $config: [InputInstanceConfigVariable]) {
		createInstance(input: {name: $name, integration: $integration, customer: $customer, configVariables: $config}) {
		instance { id name enabled needsDeploy configState integration { id } customer { id } deployedVersion { id } lastDeployedAt
			configVariables { nodes { id value status requiredConfigVariable { key dataType defaultValue } } } flowConfigs { nodes { id webhookUrl flow { id name } } } } ` + errorFields + `} }`
	deployDocument = `mutation ($id: ID!, $force: Boolean = true) { deployInstance(input: {id: $id, force: $force}) { instance { id needsDeploy lastDeployedAt deployedVersion { id versionNumber } } ` + errorFields + `} }`
	exportDocument = `query ($id: ID!, $version: Int, $latest: Boolean) { integration(id: $id) { definition(version: $version, useLatestComponentVersions: $latest) } }`
)

// imported imports a definition for an organization and returns the integration's id.
func (h *harness) imported(o org, definition string) string {
	h.t.Helper()
	return h.made(h.doAs(o, importDocument, vars{"definition": definition}), "importIntegration", "integration")
}

func (h *harness) published(o org, integration string) string {
	h.t.Helper()
	return h.made(h.doAs(o, publishDocument, vars{"id": integration}), "publishIntegration", "integration")
}

func (h *harness) customer(o org, name string) string {
	h.t.Helper()
	return h.made(h.doAs(o, customerDocument, vars{"name": name}), "createCustomer", "customer")
}

func (h *harness) instance(o org, name, integration, customer string) string {
	h.t.Helper()
	return h.made(h.doAs(o, instanceDocument, vars{"name": name, "integration": integration, "customer": customer}),
		"createInstance", "instance")
}

// made is the id of what a mutation made.
func (h *harness) made(a reply, mutation, object string) string {
	h.t.Helper()
	id := a.text(mutation + "." + object + ".id")
	if id == "" {
		h.t.Fatalf("%s made nothing: %s", mutation, a.body)
	}
	return id
}

// execution records a finished execution with one step by events and returns its id.
func (h *harness) executed(o org, instance string, claims int) string {
	h.t.Helper()
	run, ctx := uuid.NewString(), o.system(h.t.Context())
	events := []domain.Event[domain.Run]{domain.RunQueued{Instance: instance, Integration: uuid.NewString(),
		Version: uuid.NewString(), Definition: "x",
		Flow: uuid.NewString(), FlowName: "Orders", Invoke: domain.InvokedByWebhook,
		Payload: domain.Content{Inline: json.RawMessage(`1`), Size: 1}}}
	if claims > 0 {
		events = append(events, domain.RunClaimed{Claim: 1, Worker: "w"}, domain.StepFinished{Claim: 1, Path: "hook",
			Step: uuid.NewString(), Name: "Hook",
			Output: domain.Content{Inline: json.RawMessage(`{"a":1}`), Size: 7},
			Log:    []domain.LogLine{{Severity: "WARN", Message: "careful"}}},
			domain.StepFinished{Claim: 1, Path: "tell", Step: uuid.NewString(), Name: "Tell",
				Output: domain.Content{Inline: json.RawMessage(`2`), Size: 1}, Error: "broke"},
			domain.RunFinished{Claim: 1, Result: domain.Failed, Error: "Tell: broke"})
	}
	happen(h, ctx, domain.Runs, run, events...)
	return run
}
