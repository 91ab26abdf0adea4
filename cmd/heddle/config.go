package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/graph"
	"heddle/store/eventstore"
	"heddle/worker"
	"heddle/worker/outbound"
	"heddle/worker/script"
)

// settings is the whole configuration of a server. A flag wins over the environment, that over the
// YAML file, that over the default. Keys in the file are the flags' names.
type settings struct {
	Listen                   string   `env:"HEDDLE_LISTEN" default:"127.0.0.1:8080" help:"Address to listen on."`
	Data                     string   `env:"HEDDLE_DATA" default:"./data" help:"Folder of all that lasts. It belongs to one process."`
	Log                      string   `env:"HEDDLE_LOG" default:"embedded" help:"Event log: embedded, or that of another process or of EventStoreDB as esdb://user:password@host:2113."`
	ServeLog                 string   `env:"HEDDLE_SERVE_LOG" help:"Address on which other processes and EventStoreDB's clients reach the embedded event log; it is not served when empty, and log serve then takes 127.0.0.1:2113."`
	LogUser                  string   `env:"HEDDLE_LOG_USER" default:"heddle" help:"User name that is asked of those who reach the served event log."`
	LogPassword              string   `env:"HEDDLE_LOG_PASSWORD" secret:"" help:"Their password, at least 16 characters; made, printed once and kept in the data folder when empty."`
	LogCert                  string   `env:"HEDDLE_LOG_CERT" help:"PEM file of the served event log's certificate; needed off loopback addresses, on them made in the data folder (log.crt) when empty."`
	LogKey                   string   `env:"HEDDLE_LOG_KEY" help:"PEM file of its key."`
	LogConnections           int      `env:"HEDDLE_LOG_CONNECTIONS" default:"${log_Connections}" help:"Connections to the served event log at once."`
	LogConnectionsPerAddress int      `env:"HEDDLE_LOG_CONNECTIONS_PER_ADDRESS" default:"${log_ConnectionsPerAddress}" help:"Those of one address."`
	LogCalls                 int      `env:"HEDDLE_LOG_CALLS" default:"${log_Calls}" help:"Calls of the served event log at once, subscriptions included."`
	Redis                    string   `env:"HEDDLE_REDIS" default:"${worker_Redis}" help:"Work queue, wake-ups and presence: embedded, or redis://… for one that processes share."`
	Roles                    []string `env:"HEDDLE_ROLES" default:"api,worker" enum:"api,worker" help:"What this process does: api (GraphQL and triggers), worker (schedules and executions) or both."`
	Blobs                    string   `env:"HEDDLE_BLOBS" help:"Where blobs are kept: file:///folder or s3://bucket?region=…; the folder blobs in the data folder when empty."`
	MasterKey                string   `env:"HEDDLE_MASTER_KEY" secret:"" help:"Base64 of the 32 bytes that all secrets are sealed with; a key file in the data folder when empty."`
	AdminToken               string   `env:"HEDDLE_ADMIN_TOKEN" secret:"" help:"The first administrator's token, at least 16 characters; made at the first start and printed once when empty."`
	Organization             string   `env:"HEDDLE_ORGANIZATION" default:"Heddle" help:"Name of the organization that the first start makes."`
	AdminEmail               string   `env:"HEDDLE_ADMIN_EMAIL" default:"admin@localhost.localdomain" help:"E-mail address of the administrator that the first start makes."`
	PublicURL                string   `name:"public-url" env:"HEDDLE_PUBLIC_URL" help:"URL under which others reach this server; http:// and the listen address when empty."`
	Origins                  []string `env:"HEDDLE_ORIGINS" help:"Origins of other sites' pages that may call, for CORS, WebSocket and SSE."`
	AllowHosts               []string `env:"HEDDLE_ALLOW_HOSTS" help:"Host, host:port or CIDR that steps may reach although it is private."`
	LogLevel                 string   `env:"HEDDLE_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least level of the server's own log: ${enum}."`
	MetricsToken             string   `env:"HEDDLE_METRICS_TOKEN" secret:"" help:"Bearer token, at least 16 characters, without which /metrics answers 401; it is open to all when empty."`
	OTLPEndpoint             string   `name:"otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"Where traces are sent by OTLP over HTTP, as http://collector:4318; none are made when empty."`

	MaxConnections           int           `env:"HEDDLE_MAX_CONNECTIONS" default:"8192" help:"Open connections of all kinds; a further one is closed at once."`
	MaxConnectionsPerAddress int           `env:"HEDDLE_MAX_CONNECTIONS_PER_ADDRESS" default:"2048" help:"Open connections from one address, of IPv6 from one network of 64 bits; behind a proxy, as many as HEDDLE_MAX_CONNECTIONS."`
	MaxHeaders               int           `env:"HEDDLE_MAX_HEADERS" default:"65536" help:"Bytes of a request's line and headers."`
	WriteTime                time.Duration `env:"HEDDLE_WRITE_TIME" default:"30s" help:"How long the reader of an answer may take nothing of it, and then 16 KiB a second at least."`

	MaxRequest          int64         `env:"HEDDLE_MAX_REQUEST" default:"${graph_MaxBody}" help:"Bytes of a GraphQL request's body."`
	MaxAnonymousRequest int64         `env:"HEDDLE_MAX_ANONYMOUS_REQUEST" default:"${graph_MaxAnonymousBody}" help:"Bytes of a GraphQL request's body without a valid token."`
	MaxTokens           int           `env:"HEDDLE_MAX_TOKENS" default:"${graph_MaxTokens}" help:"Tokens of a GraphQL document."`
	MaxRepeats          int           `env:"HEDDLE_MAX_REPEATS" default:"${graph_MaxRepeats}" help:"How often a GraphQL document may have one name."`
	MaxRootFields       int           `env:"HEDDLE_MAX_ROOT_FIELDS" default:"${graph_MaxRoots}" help:"Fields at the root of a GraphQL document."`
	MaxVariables        int           `env:"HEDDLE_MAX_VARIABLES" default:"${graph_MaxVariables}" help:"Values in a GraphQL request's variables, those in lists and objects counted."`
	MaxDepth            int           `env:"HEDDLE_MAX_DEPTH" default:"${graph_MaxDepth}" help:"Depth of a GraphQL document."`
	MaxComplexity       int           `env:"HEDDLE_MAX_COMPLEXITY" default:"${graph_MaxComplexity}" help:"Fields that a GraphQL document asks for."`
	MaxStreams          int           `env:"HEDDLE_MAX_STREAMS" default:"${graph_MaxStreams}" help:"Open WebSockets and server-sent streams of one token, in each process."`
	MaxAnonymousSockets int           `env:"HEDDLE_MAX_ANONYMOUS_SOCKETS" default:"${graph_MaxAnonymousSockets}" help:"Open streams on which no valid token has come yet, in each process; the oldest makes room for one more."`
	MaxAddressSockets   int           `name:"max-anonymous-sockets-per-address" env:"HEDDLE_MAX_ANONYMOUS_SOCKETS_PER_ADDRESS" default:"${graph_MaxAnonymousSocketsPerAddress}" help:"The same from one IPv4 address or IPv6 network (/64)."`
	SocketInitTimeout   time.Duration `env:"HEDDLE_SOCKET_INIT_TIMEOUT" default:"${graph_InitTimeout}" help:"How long a WebSocket may be open before a valid token comes on it."`
	MaxSubscriptions    int           `env:"HEDDLE_MAX_SUBSCRIPTIONS" default:"${graph_MaxSubscriptions}" help:"Operations at once on one WebSocket."`
	MaxTokenSubscribed  int           `name:"max-token-subscriptions" env:"HEDDLE_MAX_TOKEN_SUBSCRIPTIONS" default:"${graph_MaxTokenSubscriptions}" help:"Subscriptions at once of one token, on all its streams, in each process."`
	MaxUnsent           int           `env:"HEDDLE_MAX_UNSENT" default:"${graph_MaxUnsent}" help:"Bytes of answers that may wait to be sent on all streams of one token; beyond it the slowest is cut."`
	RequestTimeout      time.Duration `env:"HEDDLE_REQUEST_TIMEOUT" default:"${graph_Timeout}" help:"How long a GraphQL request may take."`

	MaxDefinition       int `env:"HEDDLE_MAX_DEFINITION" default:"${definition_Size}" help:"Bytes of a YAML definition."`
	MaxDefinitionDepth  int `env:"HEDDLE_MAX_DEFINITION_DEPTH" default:"${definition_Depth}" help:"Depth of a YAML definition."`
	MaxDefinitionValues int `env:"HEDDLE_MAX_DEFINITION_VALUES" default:"${definition_Values}" help:"Values in a YAML definition."`
	MaxComment          int `env:"HEDDLE_MAX_COMMENT" default:"${draft_Comment}" help:"Bytes of a comment in a review, or of a note on one."`
	MaxComments         int `env:"HEDDLE_MAX_COMMENTS" default:"${draft_Comments}" help:"Comments on one draft."`
	DefinitionCache     int `env:"HEDDLE_DEFINITION_CACHE" default:"33554432" help:"Bytes of definitions, as encoded, that are kept decoded."`

	MaxIcon         int64         `env:"HEDDLE_MAX_ICON" default:"${file_Icon}" help:"Bytes of an integration's icon."`
	MaxIconSide     int           `env:"HEDDLE_MAX_ICON_SIDE" default:"${file_IconSide}" help:"Pixels of each side of an icon."`
	MaxAttachment   int64         `env:"HEDDLE_MAX_ATTACHMENT" default:"${file_Attachment}" help:"Bytes of an attachment."`
	MaxAttachments  int           `env:"HEDDLE_MAX_ATTACHMENTS" default:"${file_Attachments}" help:"Attachments of an integration."`
	AttachmentTypes []string      `env:"HEDDLE_ATTACHMENT_TYPES" default:"${file_Types}" help:"Endings that names of attachments may have."`
	RemoteImages    bool          `env:"HEDDLE_REMOTE_IMAGES" default:"false" help:"Show pictures in documentation, and not links to them: their servers hear who reads it."`
	AddressTime     time.Duration `env:"HEDDLE_ADDRESS_TIME" default:"1h" help:"How long addresses of payloads and files, and those to upload to, hold."`

	NoticeWebhook string        `env:"HEDDLE_NOTICE_WEBHOOK" secret:"path" help:"Address that is told of reviews, each notice by a signed POST; none when empty."`
	NoticeSecret  string        `env:"HEDDLE_NOTICE_SECRET" secret:"" help:"What these are signed with: whsec_ and the base64 of 24 to 64 bytes."`
	SMTP          string        `name:"smtp" env:"HEDDLE_SMTP" help:"Mail server by which people are told of reviews, as smtp://user:password@host:587 or smtps://…; no mail when empty."`
	MailFrom      string        `env:"HEDDLE_MAIL_FROM" help:"Sender of these mails."`
	NoticeTime    time.Duration `env:"HEDDLE_NOTICE_TIME" default:"72h" help:"How long a notice is tried to be sent by webhook or mail."`

	MaxBody        int64         `env:"HEDDLE_MAX_BODY" default:"${worker_MaxBody}" help:"Bytes of a webhook request's body."`
	MaxBodyMemory  int           `env:"HEDDLE_MAX_BODY_MEMORY" default:"${worker_MaxBodyMemory}" help:"Bytes that the JSON of a webhook request's body may take once it is read, as estimated."`
	MaxBodyParts   int           `env:"HEDDLE_MAX_BODY_PARTS" default:"${worker_MaxBodyParts}" help:"Parts of a webhook request's multipart form."`
	MaxBodies      int64         `env:"HEDDLE_MAX_BODIES" default:"${worker_MaxBodies}" help:"Bytes of all webhook requests' bodies over 64 KiB that are being taken in at once, and of all such answers; an instance has a quarter of it."`
	BodyTime       time.Duration `env:"HEDDLE_BODY_TIME" default:"${worker_BodyTime}" help:"How long a webhook request's body may take to come, and wait for room among others."`
	TriggerRate    int           `env:"HEDDLE_TRIGGER_RATE" default:"${worker_TriggerRate}" help:"Webhook requests a second that an instance takes, further ones are answered 429; 0 for any number."`
	SyncTimeout    time.Duration `env:"HEDDLE_SYNC_TIMEOUT" default:"${worker_SyncTimeout}" help:"How long a synchronous caller of a webhook waits."`
	RunTimeout     time.Duration `env:"HEDDLE_RUN_TIMEOUT" default:"${worker_RunTimeout}" help:"How long an execution may take."`
	RunRetention   time.Duration `env:"HEDDLE_RUN_RETENTION" default:"720h" help:"How long after its end an execution is kept, with its log and payloads; 0 keeps all."`
	Concurrency    int           `env:"HEDDLE_CONCURRENCY" default:"${worker_Concurrency}" help:"Executions at once."`
	MissedTicks    time.Duration `env:"HEDDLE_MISSED_TICKS" default:"${worker_MissedTicks}" help:"How late a scheduled execution that was missed is made up."`
	MaxNested      int           `env:"HEDDLE_MAX_NESTED" default:"${worker_MaxNested}" help:"How deep flows may wait for each other's results."`
	MaxClaims      int           `env:"HEDDLE_MAX_CLAIMS" default:"${worker_MaxClaims}" help:"How often an execution may be cut off by the end of its process, other than by a stop and with no step finished in between, before it fails."`
	MaxSteps       int           `env:"HEDDLE_MAX_STEPS" default:"${worker_MaxSteps}" help:"Steps of an execution, counting each iteration of a loop."`
	MaxStepOutput  int           `env:"HEDDLE_MAX_STEP_OUTPUT" default:"${worker_MaxOutput}" help:"Bytes of a step's result."`
	MaxStepMemory  int           `env:"HEDDLE_MAX_STEP_MEMORY" default:"${worker_MaxMemory}" help:"Bytes that what a step reads or makes of data may hold, as estimated before it is held."`
	MaxStepLog     int           `env:"HEDDLE_MAX_STEP_LOG" default:"${worker_MaxStepLog}" help:"Bytes that a step may log."`
	MaxState       int           `env:"HEDDLE_MAX_STATE" default:"${worker_MaxState}" help:"Bytes that an instance, an integration or an execution may persist."`
	ScriptTime     time.Duration `env:"HEDDLE_SCRIPT_TIME" default:"${script_Time}" help:"How long one call of a script may take."`
	ScriptMemory   int           `env:"HEDDLE_SCRIPT_MEMORY" default:"${script_Memory}" help:"Bytes that one call of a script may hold."`
	ScriptOutput   int           `env:"HEDDLE_SCRIPT_OUTPUT" default:"${script_Output}" help:"Characters of a script's result as JSON."`
	ScriptLogLines int           `env:"HEDDLE_SCRIPT_LOG_LINES" default:"${script_LogLines}" help:"Log lines of one call of a script."`
	HTTPTimeout    time.Duration `name:"http-timeout" env:"HEDDLE_HTTP_TIMEOUT" default:"${http_Time}" help:"How long one request of a step to another service may take, its answer included."`
	HTTPResponse   int64         `name:"http-response" env:"HEDDLE_HTTP_RESPONSE" default:"${http_Response}" help:"Bytes of an answer that a step reads, after decompression."`
}

// defaults are the variables in the settings' tags: the defaults that other packages know, by package and field.
func defaults() kong.Vars {
	vars := kong.Vars{}
	for name, of := range map[string]any{"worker": worker.DefaultOptions(), "graph": graph.DefaultOptions(),
		"script": script.DefaultLimits,
		"http":   outbound.DefaultLimits, "definition": definition.DefaultLimits, "draft": domain.DefaultDraftLimits,
		"file": domain.DefaultFileLimits, "log": eventstore.DefaultServerLimits} {
		v := reflect.ValueOf(of)
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				vars[name+"_"+f.Name] = defaultText(v.Field(i).Interface())
			}
		}
	}
	return vars
}

// defaultText writes a default as people do: 15m, not 15m0s.
func defaultText(v any) string {
	switch v := v.(type) {
	case []string:
		return strings.Join(v, ",")
	case time.Duration:
		text := v.String()
		for _, zero := range []string{"m0s", "h0m"} {
			if strings.HasSuffix(text, zero) {
				text = text[:len(text)-2]
			}
		}
		return text
	}
	return fmt.Sprint(v)
}

// file is the YAML configuration, a [kong.Resolver] for the flags that are in it.
type file struct {
	path   string
	values map[string]any
}

// readFile reads the configuration file; one that was not asked for may be missing.
func readFile(path string, asked bool) (*file, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return &file{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	f := &file{path: path}
	if err := yaml.Unmarshal(text, &f.values); err != nil {
		return nil, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	return f, nil
}

// Validate implements [kong.Resolver]: a key that is no setting is refused.
func (f *file) Validate(*kong.Application) error {
	known := settingNames()
	for key := range f.values {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%s: %q is no setting; there are %s", f.path, key, strings.Join(known, ", "))
		}
	}
	return nil
}

// Resolve implements [kong.Resolver]. The environment, which kong has read already, wins.
func (f *file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	if list, ok := f.values[flag.Name].([]any); ok {
		parts := make([]string, len(list))
		for i, v := range list {
			parts[i] = fmt.Sprint(v)
		}
		return strings.Join(parts, ","), nil
	}
	return f.values[flag.Name], nil
}

// each calls back for every setting with its flag's name.
func (s *settings) each(call func(name string, f reflect.StructField, v reflect.Value)) {
	value := reflect.ValueOf(s).Elem()
	for i := range value.NumField() {
		f := value.Type().Field(i)
		name := f.Tag.Get("name")
		if name == "" {
			name = strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(f.Tag.Get("env"), "HEDDLE_")), "_", "-")
		}
		call(name, f, value.Field(i))
	}
}

func settingNames() (names []string) {
	new(settings).each(func(name string, _ reflect.StructField, _ reflect.Value) { names = append(names, name) })
	return names
}

// print shows the settings as a configuration file, secrets masked.
func (s *settings) print() string {
	var b strings.Builder
	s.each(func(name string, f reflect.StructField, v reflect.Value) {
		shown := v.Interface()
		switch plain := shown.(type) {
		case time.Duration:
			shown = plain.String()
		case string:
			shown = withoutSecrets(plain)
		}
		switch part, secret := f.Tag.Lookup("secret"); {
		case !secret || v.String() == "":
		case part == "path":
			shown = hostOnly(v.String())
		default:
			shown = masked
		}
		line, _ := yaml.Marshal(map[string]any{name: shown}) // plain values always have a YAML form
		b.Write(line)
	})
	return b.String()
}

// dropEmpty takes variables without a value out of the environment: who sets HEDDLE_LISTEN to nothing
// wants the default, and not to listen everywhere.
func dropEmpty() {
	new(settings).each(func(_ string, f reflect.StructField, _ reflect.Value) {
		if name := f.Tag.Get("env"); os.Getenv(name) == "" {
			_ = os.Unsetenv(name) // it fails for no name that is in the tags
		}
	})
}
