package main

import (
	"encoding/json"
	"io"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
)

const masked = "********"

// concealed stands for what is masked inside an address, as in [url.URL.Redacted].
const concealed = "xxxxx"

// plainParameters are the parameters of addresses that are no secrets. Others may be.
var plainParameters = []string{"region", "endpoint", "profile", "awssdk", "use_path_style", "s3forcepathstyle",
	"disable_https",
	"hostname_immutable", "anonymous", "accelerate", "dualstack", "fips", "ssetype", "db", "tls", "tlsverifycert",
	"nodepreference",
	"connectionname", "defaultdeadline", "discoveryinterval", "gossiptimeout", "maxdiscoverattempts",
	"keepaliveinterval",
	"keepalivetimeout"}

// withoutSecrets masks the password that an address such as redis://user:password@host may hold, and what its
// query says.
func withoutSecrets(address string) string {
	if !strings.Contains(address, "://") {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		return masked
	}
	if _, set := u.User.Password(); set {
		u.User = url.UserPassword(u.User.Username(), concealed)
	} else if u.User != nil { // the name lets the caller in
		u.User = url.User(concealed)
	}
	parts := strings.Split(u.RawQuery, "&")
	for i, part := range parts {
		if name, _, has := strings.Cut(part, "="); has && !slices.Contains(plainParameters, strings.ToLower(name)) {
			parts[i] = name + "=" + concealed
		}
	}
	u.RawQuery = strings.Join(parts, "&")
	return u.String()
}

// hostOnly masks all of an address but its scheme and host: who takes POSTs often tells callers apart by the path.
func hostOnly(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return masked
	}
	return u.Scheme + "://" + u.Host + "/" + masked
}

// minSecret is the length from which a secret is looked for in what is written: shorter ones are words that
// stand for something else, too.
const minSecret = 6

// otherSecrets are variables that libraries read by themselves.
var otherSecrets = []string{"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN",
	"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"}

// secrets lists what must not be written of the settings, each with what is written for it, whole addresses first.
func (s *settings) secrets() (pairs []string) {
	var parts []string
	add := func(secret, shown string) {
		if len(secret) < minSecret {
			return
		}
		for range 3 { // as it is, quoted, and quoted in something that is
			parts = append(parts, secret, shown)
			quoted, _ := json.Marshal(secret) // a text always has a JSON form
			secret = string(quoted[1 : len(quoted)-1])
		}
	}
	s.each(func(_ string, f reflect.StructField, v reflect.Value) {
		value, isText := v.Interface().(string)
		part, secret := f.Tag.Lookup("secret")
		u, err := url.Parse(value)
		switch {
		case !isText, value == "":
		case part == "path":
			pairs = append(pairs, value, hostOnly(value))
			if err == nil {
				add(u.RequestURI(), "/"+masked)
			}
		case secret:
			add(value, masked)
		case strings.Contains(value, "://") && value != withoutSecrets(value):
			pairs = append(pairs, value, withoutSecrets(value))
			if err == nil {
				within(u, func(secret string) { add(secret, concealed) })
			}
		}
	})
	for _, name := range otherSecrets {
		for _, one := range strings.Split(os.Getenv(name), ",") {
			if _, value, has := strings.Cut(one, "="); has && strings.HasPrefix(name, "OTEL_") {
				one = value
			}
			add(one, masked)
		}
	}
	return append(pairs, parts...)
}

// within returns what is secret in an address, as it is written there and as it is meant.
func within(u *url.URL, each func(secret string)) {
	name, password := u.User.Username(), ""
	if u.User != nil {
		var set bool
		if password, set = u.User.Password(); !set {
			password = name
		}
		_, written, _ := strings.Cut(u.User.String(), ":")
		each(password)
		each(written)
	}
	for name, values := range u.Query() {
		if slices.Contains(plainParameters, strings.ToLower(name)) {
			continue
		}
		for _, value := range values {
			each(value)
			each(url.QueryEscape(value))
		}
	}
}

// discreet writes without the settings' secrets, whoever wrote them: errors of libraries name addresses.
type discreet struct {
	io.Writer
	*strings.Replacer
}

func (s *settings) discreet(w io.Writer) io.Writer {
	return discreet{w, strings.NewReplacer(s.secrets()...)}
}

// Write implements [io.Writer]: each line of a log comes in one call.
func (d discreet) Write(p []byte) (int, error) {
	if _, err := d.WriteString(d.Writer, string(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
