package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"gopkg.in/yaml.v3"
)

// story is what the commands of one script share.
type story struct {
	dir    string
	server *process
	urls   []string // of all servers so far
	hook   *hook
	answer any // what the last request was answered, for get
}

type storyKey struct{}

// commands are what stories are told in, besides those of testscript:
//
//	serve [arg...]               starts a server; sets URL
//	terminate, crash             ends it, nicely (it must exit with 0) or at once
//	refused PATTERN [VAR=VALUE...]  a server with these settings does not start, saying so
//	gql [-token T] [-until PATH] DOCUMENT [VAR=VALUE|VAR=@FILE...]
//	                             asks; until PATH of the answer is something; shows the answer
//	get VAR|./FILE PATH [after TEXT]  takes something from the last answer
//	post URL [HEADER: VALUE...] BODY  posts; shows the answer
//	fetch PATH                   shows what the server answers to a GET
//	hook                         starts a server for steps to call; sets HOOK
//	hooked N                     waits for N calls in all and shows them
//	roots FILE                   writes the answer of every field of Query to a file
//	events                       shows the log of the stopped server
//	metric VAR NAME              takes a metric of the running server
//	holds FILE PART              compares two YAML files: nothing of the second is missing in the first
//	token VAR FILE               takes the API token from an output
//	tokenid VAR FILE NAME        takes the id of the token with a name from a list
//	exits CODE COMMAND...        runs a command that ends with a certain code
//	equal A B                    compares two values
//	sql STATEMENT                changes the log of the stopped server behind its back
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"serve": cmdServe, "terminate": cmdTerminate, "crash": cmdCrash, "refused": cmdRefused, "gql": cmdGQL,
	"get": cmdGet, "post": cmdPost,
	"fetch": cmdFetch, "hook": cmdHook, "hooked": cmdHooked, "roots": cmdRoots, "events": cmdEvents,
	"metric": cmdMetric,
	"holds":  cmdHolds, "sql": cmdSQL, "equal": cmdEqual,
	"token": cmdToken, "tokenid": cmdTokenID, "exits": cmdExits,
}

// setup makes a folder, a token and a server for steps for each story; stories share none of them.
func setup(env *testscript.Env) error {
	s := &story{dir: env.WorkDir}
	env.Values[storyKey{}] = s
	env.Setenv("HEDDLE_LISTEN", "127.0.0.1:0")
	env.Setenv("HEDDLE_DATA", filepath.Join(env.WorkDir, "data"))
	env.Setenv("HEDDLE_ADMIN_TOKEN", testToken)
	env.Setenv("CORPUS", corpus(""))
	env.Defer(func() {
		if s.server != nil {
			_ = s.server.kill()
		}
		if s.hook != nil {
			s.hook.Close()
		}
	})
	return nil
}

// condition implements corpus:FILE, for stories about files that need not be there.
func condition(name string) (bool, error) {
	file, ok := strings.CutPrefix(name, "corpus:")
	if !ok {
		return false, fmt.Errorf("unknown condition %s", name)
	}
	_, err := os.Stat(corpus(file))
	return err == nil, nil
}

func of(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

// environment is what heddle sees of the script's variables, changed by some assignments.
func environment(ts *testscript.TestScript, assignments ...string) (env []string) {
	for _, name := range variables() {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, assignments...)
}

func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg, "serve [arg...]")
	s := of(ts)
	p, err := start(command(ts.MkAbs("."), environment(ts), append([]string{"serve"}, args...)...))
	ts.Check(err)
	s.server, s.urls = p, append(s.urls, p.url)
	ts.Setenv("URL", p.url)
	_, _ = io.WriteString(ts.Stdout(), p.printed())
	_, _ = io.WriteString(ts.Stderr(), p.stderr.String())
}

func cmdTerminate(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "terminate")
	s := of(ts)
	err := s.server.stop()
	ts.Check(os.WriteFile(filepath.Join(s.dir, "server.log"), []byte(s.server.stderr.String()), 0o600))
	_, _ = io.WriteString(ts.Stderr(), s.server.stderr.String())
	ts.Check(err)
}

func cmdCrash(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "crash")
	ts.Check(of(ts).server.kill())
}

func cmdRefused(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 0, "refused PATTERN [VAR=VALUE...]")
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	p, err := launch(command(ts.MkAbs("."), environment(ts, args[1:]...), "serve"))
	ts.Check(err)
	select {
	case <-p.exited:
	case <-time.After(patience):
	case url := <-p.stderr.ready:
		_ = p.kill()
		ts.Fatalf("the server started at %s:\n%s", url, p.stderr)
	}
	_ = p.kill()
	_, _ = io.WriteString(ts.Stderr(), p.stderr.String())
	status, ok := errors.AsType[*exec.ExitError](p.err)
	if !ok || status.Sys().(syscall.WaitStatus).Signaled() {
		ts.Fatalf("the server should have failed, but: %v", p.err)
	}
	if !pattern.MatchString(p.stderr.String()) {
		ts.Fatalf("%q is not in what the server says:\n%s", args[0], p.stderr)
	}
}

// options takes leading -NAME VALUE pairs off the arguments.
func options(args []string, names ...string) (map[string]string, []string) {
	values := map[string]string{}
	for len(args) > 1 && slices.Contains(names, args[0]) {
		values[args[0]] = args[1]
		args = args[2:]
	}
	return values, args
}

func cmdGQL(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	token := ts.Getenv("HEDDLE_ADMIN_TOKEN")
	opts, args := options(args, "-token", "-until")
	usage(ts, len(args) > 0, "gql [-token T] [-until PATH] DOCUMENT [VAR=VALUE|VAR=@FILE...]")
	if t, given := opts["-token"]; given {
		token = t
	}
	vars := map[string]any{}
	for _, a := range args[1:] {
		name, value, _ := strings.Cut(a, "=")
		if file, ok := strings.CutPrefix(value, "@"); ok {
			value = ts.ReadFile(file)
		}
		vars[name] = value
		if json.Valid([]byte(value)) && strings.HasPrefix(value, "[") {
			vars[name] = json.RawMessage(value)
		}
	}
	path, waiting := opts["-until"]
	err := until(path, func() bool {
		var err error
		s.answer, err = ask(s.server.url, token, args[0], vars)
		ts.Check(err)
		return !waiting || at(s.answer, path) != nil
	})
	text, _ := json.MarshalIndent(s.answer, "", "  ") // it was JSON
	_, _ = fmt.Fprintf(ts.Stdout(), "%s\n", text)
	ts.Check(err)
	switch err := refused(s.answer); {
	case err != nil && !neg:
		ts.Fatalf("refused: %v", err)
	case err == nil && neg:
		ts.Fatalf("it should have been refused")
	}
}

func cmdGet(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 2 || len(args) == 4), "get VAR|./FILE PATH [after TEXT]")
	value := at(of(ts).answer, args[1])
	if value == nil {
		ts.Fatalf("the answer has no %s", args[1])
	}
	text := fmt.Sprint(value)
	if len(args) == 4 {
		_, text, _ = strings.Cut(text, args[3])
	}
	if strings.HasPrefix(args[0], "./") {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
		return
	}
	ts.Setenv(args[0], text)
}

func cmdPost(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "post URL [HEADER: VALUE...] BODY")
	s := of(ts)
	url, body, header := args[0], args[len(args)-1], http.Header{}
	if strings.HasPrefix(url, "/") {
		url = s.server.url + url
	}
	for _, h := range args[1 : len(args)-1] {
		name, value, _ := strings.Cut(h, ": ")
		header.Set(name, value)
	}
	s.show(ts, http.MethodPost, url, header, []byte(body))
}

func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "fetch PATH")
	s := of(ts)
	s.show(ts, http.MethodGet, s.server.url+args[0], http.Header{}, nil)
}

// show makes a request and shows the answer: status, content type, empty line, body.
func (s *story) show(ts *testscript.TestScript, method, url string, header http.Header, body []byte) {
	status, got, text, err := send(method, url, header, body)
	ts.Check(err)
	s.answer = nil
	_ = json.Unmarshal(text, &s.answer) // where it is no JSON, nothing can be got from it
	_, _ = fmt.Fprintf(ts.Stdout(), "%d %s\n\n%s\n", status, got.Get("Content-Type"), text)
}

func cmdHook(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "hook")
	s := of(ts)
	s.hook = newHook()
	ts.Setenv("HOOK", s.hook.URL)
}

func cmdHooked(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "hooked N")
	var n int
	_, err := fmt.Sscan(args[0], &n)
	ts.Check(err)
	requests, err := of(ts).hook.got(n)
	ts.Check(err)
	for _, r := range requests {
		_, _ = fmt.Fprintf(ts.Stdout(), "%s %s %s\n%s\n", r.method, r.path, r.contentType, r.body)
	}
	if len(requests) > n {
		ts.Fatalf("%d calls", len(requests))
	}
}

func cmdMetric(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "metric VAR NAME")
	_, _, text, err := send(http.MethodGet, of(ts).server.url+"/metrics", http.Header{}, nil)
	ts.Check(err)
	value, ok := metric(string(text), args[1])
	if !ok {
		ts.Fatalf("there is no metric %s in\n%s", args[1], text)
	}
	ts.Setenv(args[0], value)
}

// metric finds a metric's value in Prometheus' text form.
func metric(text, name string) (value string, ok bool) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

func cmdHolds(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "holds FILE PART")
	var whole, part any
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[0])), &whole))
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[1])), &part))
	for _, lack := range lacks("", whole, part) {
		ts.Fatalf("%s", lack)
	}
}

// lacks tells where a document does not hold what another one has.
func lacks(path string, whole, part any) (list []string) {
	switch part := part.(type) {
	case map[string]any:
		m, _ := whole.(map[string]any)
		for key, value := range part {
			list = append(list, lacks(path+"/"+key, m[key], value)...)
		}
	case []any:
		l, _ := whole.([]any)
		if len(l) != len(part) {
			return []string{fmt.Sprintf("%s has %d items instead of %d", path, len(l), len(part))}
		}
		for i := range part {
			list = append(list, lacks(fmt.Sprintf("%s/%d", path, i), l[i], part[i])...)
		}
	default:
		if whole != part {
			list = []string{fmt.Sprintf("%s is %#v instead of %#v", path, whole, part)}
		}
	}
	return list
}

func cmdEqual(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2, "equal A B")
	if (args[0] == args[1]) == neg {
		ts.Fatalf("%q and %q", args[0], args[1])
	}
}

func cmdToken(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "token VAR FILE")
	token := regexp.MustCompile(`heddle_\S+`).FindString(ts.ReadFile(args[1]))
	if token == "" {
		ts.Fatalf("no token in it")
	}
	ts.Setenv(args[0], token)
}

func cmdTokenID(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 3, "tokenid VAR FILE NAME")
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if id, rest, _ := strings.Cut(line, " "); strings.Contains(rest, args[2]) && !strings.Contains(rest, "Z  2") {
			ts.Setenv(args[0], id)
			return
		}
	}
	ts.Fatalf("no valid token %q in it", args[2])
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 1, "exits CODE COMMAND...")
	cmd := command(ts.MkAbs("."), environment(ts), args[2:]...)
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	_ = cmd.Run() // the code tells
	if code := fmt.Sprint(cmd.ProcessState.ExitCode()); code != args[0] {
		ts.Fatalf("it ended with %s", code)
	}
}
