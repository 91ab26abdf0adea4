package script

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"modernc.org/quickjs"

	"heddle/component/value"
)

// load runs the prelude and keeps its functions; the part for the web only on request.
func (r *execution) load(withWeb bool) error {
	limits := map[string]int{"logLine": r.limits.LogLine, "output": r.limits.Output}
	names, err := r.registerHost(withWeb)
	if err != nil {
		return err
	}
	driver, err := r.setUp(prelude, []string{"start", "next", "fire", "result"}, names, limits)
	if err != nil {
		return err
	}
	defer driver.Free()
	if !withWeb {
		return nil
	}
	host, err := r.property(driver, "host")
	if err != nil {
		return r.explain(err)
	}
	defer host.Free()
	functions, err := r.setUp(web, []string{"settle"}, host, limits)
	if err != nil {
		return err
	}
	functions.Free()
	return nil
}

// setUp evaluates compiled code, which is a function, calls that and keeps the functions that it returns, by name.
func (r *execution) setUp(compiled func() ([]byte, error), names []string, args ...any) (quickjs.Value, error) {
	code, err := compiled()
	if err != nil {
		return quickjs.Value{}, err
	}
	if err := r.arm(); err != nil {
		return quickjs.Value{}, err
	}
	setup, err := r.vm.EvalBytecodeValue(code)
	if err != nil {
		return quickjs.Value{}, r.explain(err)
	}
	defer setup.Free()
	given, err := setup.CallValue(quickjs.UndefinedValue, args...)
	if err != nil {
		return quickjs.Value{}, r.explain(err)
	}
	for _, name := range names {
		f, err := r.property(given, name)
		if err != nil {
			return quickjs.Value{}, r.explain(err)
		}
		r.driver[name] = f
	}
	return given, nil
}

func (r *execution) property(of quickjs.Value, name string) (quickjs.Value, error) {
	atom, err := r.vm.NewAtom(name)
	if err != nil {
		return quickjs.Value{}, err
	}
	return of.GetPropertyValue(atom)
}

// registerHost makes the Go functions for the prelude global, which the prelude undoes, and lists them. Each takes
// its time: those that only the part for the web uses come with it.
func (r *execution) registerHost(withWeb bool) ([]string, error) {
	functions := map[string]quickjs.HostFunc{"log": r.hostLog}
	if withWeb {
		maps.Copy(functions, map[string]quickjs.HostFunc{
			"uuid":    func([]any) (any, error) { return uuid.NewString(), nil },
			"random":  hostRandom,
			"encode":  hostEncode,
			"decode":  hostDecode,
			"url":     hostURL,
			"digest":  hostDigest,
			"collate": collation{}.compare,
			"fetch":   r.fetch.start,
		})
	}
	for name, f := range functions {
		if err := r.vm.RegisterHostFunc("heddle_"+name, f); err != nil {
			return nil, fmt.Errorf("preparing the script engine: %w", err)
		}
	}
	return slices.Collect(maps.Keys(functions)), nil
}

func (r *execution) hostLog(args []any) (any, error) {
	if len(args) == 2 {
		r.log.add(fmt.Sprint(args[0]), fmt.Sprint(args[1]))
	}
	return nil, nil
}

// text is the one argument of a host function. The prelude passes text only.
func text(args []any) (string, error) {
	if len(args) > 0 {
		if s, ok := args[0].(string); ok {
			return s, nil
		}
	}
	return "", errors.New("text expected")
}

// hostRandom returns so many random bytes, at most as many as the web's getRandomValues.
func hostRandom(args []any) (any, error) {
	n, ok := args[0].(int)
	if !ok || n < 0 || n > 65536 {
		return nil, errors.New("getRandomValues gives at most 65536 bytes")
	}
	b := make([]byte, n)
	rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b), nil
}

func hostEncode(args []any) (any, error) {
	s, err := text(args)
	return base64.StdEncoding.EncodeToString([]byte(s)), err
}

func hostDecode(args []any) (any, error) {
	s, err := text(args)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	// A byte order mark is no part of the text.
	return strings.ToValidUTF8(strings.TrimPrefix(string(b), "\uFEFF"), "\uFFFD"), err
}

// hostDigest returns the hash of base64 data, or with a key its HMAC, as base64 text.
func hostDigest(args []any) (any, error) {
	parts := make([][]byte, len(args))
	for i, arg := range args {
		s, isText := arg.(string)
		if !isText { // no key
			continue
		}
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil && i > 0 {
			return nil, err
		}
		parts[i] = append([]byte{}, b...) // an empty key is one
	}
	sum, err := value.Digest(fmt.Sprint(args[0]), parts[1], parts[2])
	return base64.StdEncoding.EncodeToString(sum), err
}

// hostURL parses a URL into JSON for the prelude's class URL.
func hostURL(args []any) (any, error) {
	href := fmt.Sprint(args[0])
	parts, ok := urlParts(href, fmt.Sprint(args[1]))
	if !ok {
		parts = map[string]string{"error": "Invalid URL: " + href}
	}
	b, err := json.Marshal(parts)
	return string(b), err
}

func urlParts(href, base string) (map[string]string, bool) {
	u, err := url.Parse(strings.TrimSpace(href))
	if err == nil && base != "" {
		var from *url.URL
		if from, err = url.Parse(strings.TrimSpace(base)); err == nil {
			u = from.ResolveReference(u)
		}
	}
	if err != nil || u.Scheme == "" || u.Host == "" {
		return nil, false
	}
	password, _ := u.User.Password()
	parts := map[string]string{
		"protocol": u.Scheme + ":", "username": url.PathEscape(u.User.Username()), "password": url.PathEscape(password),
		"hostname": strings.ToLower(u.Hostname()), "port": u.Port(), "pathname": u.EscapedPath(),
		"query": value.QueryText(u.RawQuery), "hash": "",
	}
	if strings.Contains(parts["hostname"], ":") {
		parts["hostname"] = "[" + parts["hostname"] + "]"
	}
	if u.Scheme == "http" && parts["port"] == "80" || u.Scheme == "https" && parts["port"] == "443" {
		parts["port"] = ""
	}
	if parts["pathname"] == "" {
		parts["pathname"] = "/"
	}
	if u.Fragment != "" {
		parts["hash"] = "#" + u.EscapedFragment()
	}
	return parts, true
}
