package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"heddle/domain/refusal"
)

// fakeS3 is a server of S3 with the bucket "bucket", for who has its key.
type fakeS3 struct {
	*httptest.Server
	key, token string

	mu       sync.Mutex
	calls    []*http.Request
	refusals []http.HandlerFunc // of the next calls
}

func newFakeS3(t *testing.T) *fakeS3 {
	backend := s3mem.New()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	s3 := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	f := &fakeS3{key: "KEY"}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.calls = append(f.calls, r)
		answer := s3.ServeHTTP
		if len(f.refusals) > 0 {
			answer, f.refusals = f.refusals[0], f.refusals[1:]
		}
		f.mu.Unlock()
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+f.key+"/") ||
			r.Header.Get("X-Amz-Security-Token") != f.token {
			answer = refusing(http.StatusForbidden, "InvalidAccessKeyId")
		}
		answer(w, r)
	}))
	t.Cleanup(f.Close)
	noAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "KEY")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the secret")
	return f
}

// noAWS takes away what whoever runs the test may have set.
func noAWS(t *testing.T) {
	for _, name := range os.Environ() {
		if name, _, _ = strings.Cut(name, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", t.TempDir())
}

func withoutKeys(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
}

func (f *fakeS3) address(more string) string {
	return "s3://bucket?region=eu-test-1&use_path_style=true&endpoint=" + f.URL + more
}

// refuse answers the next calls in this way.
func (f *fakeS3) refuse(answers ...http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusals, f.calls = answers, nil
}

func (f *fakeS3) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

func refusing(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "CALL")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>so it is</Message></Error>", code)
	}
}

func TestS3Keys(t *testing.T) {
	ctx := context.Background()
	b := openTestBlobs(t, newFakeS3(t).address(""))
	const n = 1001 // a list has 1,000
	for i := range n {
		if err := b.Put(ctx, fmt.Sprintf("run/1/a=b_%d.log", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"run/1", "run/10/output"} {
		if err := b.Put(ctx, key, []byte("stays")); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.DeleteAll(ctx, "run/1/"); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		_, err := b.Get(ctx, fmt.Sprintf("run/1/a=b_%d.log", i))
		wantCode(t, err, refusal.NotFound)
	}
	for _, key := range []string{"run/1", "run/10/output"} {
		if data, err := b.Get(ctx, key); err != nil || string(data) != "stays" {
			t.Errorf("%s: %q, %v", key, data, err)
		}
	}
}

func TestS3Refuses(t *testing.T) {
	ctx := context.Background()
	f := newFakeS3(t)
	b := openTestBlobs(t, f.address(""))
	busy, broken := refusing(503, "SlowDown"), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	short := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.Header().Set("Last-Modified", testDay.Format(http.TimeFormat))
		_, _ = io.WriteString(w, "short")
	}
	if err := b.Put(ctx, "a", []byte("whole")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		says    string // nothing if it succeeds
		calls   int    // if they are certain
	}{
		"busy at first": {[]http.HandlerFunc{busy, broken}, "", 3},
		"busy":          {[]http.HandlerFunc{busy, busy, busy}, "SlowDown: so it is; request CALL", 3},
		// net/http tries again, too
		"broken":            {slices.Repeat([]http.HandlerFunc{broken}, 9), "Connection closed", 0},
		"short":             {[]http.HandlerFunc{short}, "unexpected EOF", 1},
		"keys have expired": {[]http.HandlerFunc{refusing(400, "ExpiredToken")}, "", 2},
		"not allowed":       {[]http.HandlerFunc{refusing(403, "AccessDenied")}, "AccessDenied: so it is", 1},
		"no bucket":         {[]http.HandlerFunc{refusing(404, "NoSuchBucket")}, "NoSuchBucket: so it is", 1},
		"a proxy's own words": {[]http.HandlerFunc{func(w http.ResponseWriter,
			_ *http.Request) {
			http.Error(w, "<html>", http.StatusForbidden)
		}}, "AccessDenied", 1},
		"elsewhere": {[]http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-3")
			w.Header().Set("Location", f.URL+"/elsewhere")
			w.WriteHeader(http.StatusMovedPermanently)
		}}, "the bucket is in the region eu-3", 1},
	} {
		t.Run(name, func(t *testing.T) {
			for what, do := range map[string]func() error{
				"get": func() error {
					data, err := b.Get(ctx, "a")
					if err == nil && string(data) != "whole" {
						t.Errorf("got %q", data)
					}
					return err
				},
				"put":    func() error { return b.Put(ctx, "a", []byte("whole")) },
				"delete": func() error { return b.Delete(ctx, "none") },
				"list":   func() error { return b.DeleteAll(ctx, "none/") },
			} {
				if what != "get" && name == "short" {
					continue
				}
				f.refuse(c.answers...)
				err := do()
				switch {
				case c.says == "" && err != nil:
					t.Errorf("%s: %v", what, err)
				case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) ||
					refusal.CodeOf(err) != ""):
					t.Errorf("%s: got %v, want %q", what, err, c.says)
				case c.calls != 0 && f.count() != c.calls:
					t.Errorf("%s: %d calls, want %d", what, f.count(), c.calls)
				}
			}
		})
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	f.refuse()
	if err := b.Put(canceled, "a", nil); err == nil || f.count() != 0 {
		t.Errorf("a caller who has gone: %v", err)
	}
	endless := `<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`
	f.refuse(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, endless) })
	if err := b.DeleteAll(ctx, "run/1/"); err == nil || !strings.Contains(err.Error(), "continuation token") {
		t.Errorf("an endless list: %v", err)
	}
	long := "<ListBucketResult>" + strings.Repeat(" ", maxListing) + "</ListBucketResult>"
	f.refuse(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long) })
	if err := b.DeleteAll(ctx, "run/1/"); err == nil {
		t.Error("a list without bounds was read to its end")
	}
}

// TestS3Credentials takes them from all places that need no machine of AWS.
func TestS3Credentials(t *testing.T) {
	ctx := context.Background()
	file := func(t *testing.T, variable, text string) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(variable, path)
	}
	const keys = "aws_access_key_id=KEY\naws_secret_access_key=the secret\n"
	gives := func(t *testing.T, answer string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_,
				_ = io.WriteString(w, answer)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	for name, c := range map[string]struct {
		more  string
		set   func(t *testing.T, f *fakeS3)
		fails string
	}{
		"environment": {"", func(*testing.T, *fakeS3) {}, ""},
		"wrong": {"", func(t *testing.T, _ *fakeS3) { t.Setenv("AWS_ACCESS_KEY_ID", "OTHER") },
			"InvalidAccessKeyId"},
		"session": {"", func(t *testing.T, f *fakeS3) {
			f.token = "for a while"
			t.Setenv("AWS_SESSION_TOKEN", f.token)
		}, ""},
		"shared file": {"", func(t *testing.T, _ *fakeS3) {
			withoutKeys(t)
			file(t, "AWS_SHARED_CREDENTIALS_FILE", "[default]\n"+keys)
		}, ""},
		"profile of the shared file": {"&profile=heddle", func(t *testing.T, _ *fakeS3) {
			t.Setenv("AWS_ACCESS_KEY_ID", "OTHER")
			file(t, "AWS_SHARED_CREDENTIALS_FILE", "[heddle]\n"+keys)
		}, ""},
		"configuration": {"", func(t *testing.T, _ *fakeS3) {
			withoutKeys(t)
			t.Setenv("AWS_PROFILE", "heddle")
			file(t, "AWS_CONFIG_FILE", "[profile heddle]\n"+keys)
		}, ""},
		"container": {"", func(t *testing.T, f *fakeS3) {
			f.token = "for a while"
			withoutKeys(t)
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI",
				gives(t, `{"AccessKeyId": "KEY", "SecretAccessKey": "the secret", "Token": "for a while", "Expiration": "2999-01-01T00:00:00Z"}`))
		}, ""},
		"role": {"&role=arn:aws:iam::1:role/heddle", func(t *testing.T, f *fakeS3) {
			f.token = "for a while"
			t.Setenv("AWS_ENDPOINT_URL_STS", gives(t, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
				<AccessKeyId>KEY</AccessKeyId><SecretAccessKey>the secret</SecretAccessKey><SessionToken>for a while</SessionToken>
				<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`))
		}, ""},
		"role refused": {"&role=arn:aws:iam::1:role/heddle", func(t *testing.T, f *fakeS3) {
			t.Setenv("AWS_ENDPOINT_URL_STS", f.URL+"/nothing")
		}, "taking the role arn:aws:iam::1:role/heddle"},
		"half": {"&profile=heddle", func(t *testing.T, _ *fakeS3) {
			file(t, "AWS_SHARED_CREDENTIALS_FILE", "[heddle]\naws_access_key_id=KEY\n")
		}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		"half in the environment": {"", func(t *testing.T, _ *fakeS3) { t.Setenv("AWS_ACCESS_KEY_ID", "") },
			"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		"none": {"&profile=missing", func(*testing.T, *fakeS3) {},
			"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		"anonymous": {"&anonymous=true", func(*testing.T, *fakeS3) {}, "InvalidAccessKeyId"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeS3(t)
			c.set(t, f)
			b := openTestBlobs(t, f.address(c.more))
			err := b.Put(ctx, "run/1/output", []byte("x"))
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("got %v, want %q", err, c.fails)
			}
		})
	}
}

func TestS3Addresses(t *testing.T) {
	for address, want := range map[string]string{
		"s3://b-1?region=eu-west-1":                                           "https://b-1.s3.eu-west-1.amazonaws.com/",
		"s3://b-1/ignored?region=eu-west-1&awssdk=v2":                         "https://b-1.s3.eu-west-1.amazonaws.com/",
		"s3://b-1?region=us-east-1":                                           "https://b-1.s3.us-east-1.amazonaws.com/",
		"s3://b-1?region=cn-north-1":                                          "https://b-1.s3.cn-north-1.amazonaws.com.cn/",
		"s3://b.1?region=eu-west-1":                                           "https://s3.eu-west-1.amazonaws.com/b.1/",
		"s3://B_1?region=eu-west-1":                                           "https://s3.eu-west-1.amazonaws.com/B_1/",
		"s3://b.1?region=eu-west-1&disable_https=true":                        "http://b.1.s3.eu-west-1.amazonaws.com/",
		"s3://b-1?region=eu-west-1&dualstack=true":                            "https://b-1.s3.dualstack.eu-west-1.amazonaws.com/",
		"s3://b-1?region=us-west-1&fips=true":                                 "https://b-1.s3-fips.us-west-1.amazonaws.com/",
		"s3://b-1?region=us-west-1&fips=true&dualstack=true":                  "https://b-1.s3-fips.dualstack.us-west-1.amazonaws.com/",
		"s3://b-1?region=eu-west-1&accelerate=true":                           "https://b-1.s3-accelerate.amazonaws.com/",
		"s3://b-1?region=eu-west-1&accelerate=true&dualstack=true":            "https://b-1.s3-accelerate.dualstack.amazonaws.com/",
		"s3://b-1?region=eu-west-1&use_path_style=true":                       "https://s3.eu-west-1.amazonaws.com/b-1/",
		"s3://b-1?endpoint=https://s3.example":                                "https://b-1.s3.example/",
		"s3://b-1?endpoint=https://s3.example/&s3ForcePathStyle=true":         "https://s3.example/b-1/",
		"s3://b-1?endpoint=https://s3.example&hostname_immutable=1":           "https://s3.example/b-1/",
		"s3://b-1?endpoint=http://10.0.0.1:9000":                              "http://10.0.0.1:9000/b-1/",
		"s3://b-1?endpoint=https://s3.eu-west-1.amazonaws.com":                "https://b-1.s3.eu-west-1.amazonaws.com/",
		"s3://b-1?endpoint=https://s3.dualstack.eu-west-1.amazonaws.com":      "https://b-1.s3.dualstack.eu-west-1.amazonaws.com/",
		"s3://b-1?endpoint=https://s3.example/storage/v1&use_path_style=true": "give S3 a host name or a port of its own",
		"s3://b-1":                                           "region of the bucket is not known",
		"s3://?region=eu-west-1":                             "names no bucket",
		"s3://b?region=eu-west-1":                            "cannot be shorter than 3 characters",
		"s3://b-1?region=eu/1":                               "not a name such as",
		"s3://b-1?region=eu-wset-1":                          "no region of AWS is known by the name eu-wset-1",
		"s3://b-1?region=eu-west-1&secret=1":                 "unknown parameter",
		"s3://b-1?region=eu-west-1&fips=perhaps":             "must be true or false",
		"s3://b-1?region=eu-west-1&ssetype=rot13":            "must be one of AES256",
		"s3://b-1?region=eu-west-1&role=admin":               "must begin with arn:",
		"s3://b.1?region=eu-west-1&accelerate=true":          "must not contain periods",
		"s3://b-1?region=eu-west-1&endpoint=s3.example":      "must be an address such as",
		"s3://b-1?region=eu-west-1&endpoint=file:///data":    "must be an address such as",
		"s3://b-1?region=eu-west-1&endpoint=https://s3.a*b/": "does not follow",
	} {
		noAWS(t)
		got, err := baseOf(t, address)
		switch {
		case err != nil && (refusal.CodeOf(err) != refusal.Invalid || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", address, err, want)
		case err == nil && got != want:
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "config"))
	if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"),
		[]byte("[default]\nregion=eu-west-2\n[profile x]\nregion = eu-west-3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"s3://b-1":           "https://b-1.s3.eu-west-2.amazonaws.com/",
		"s3://b-1?profile=x": "https://b-1.s3.eu-west-3.amazonaws.com/",
	} {
		if got, err := baseOf(t, address); got != want {
			t.Errorf("%s is %s, %v, want %s", address, got, err, want)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "https://s3.example")
	if got, err := baseOf(t, "s3://b-1"); got != "https://b-1.s3.example/" {
		t.Errorf("an endpoint from the environment: %s, %v", got, err)
	}
}

// baseOf returns the URL below which the blobs of an address are.
func baseOf(t *testing.T, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openBucket(u); err != nil {
		return "", err
	}
	a, err := readS3Address(u)
	if err != nil {
		return "", err
	}
	place, err := a.place()
	if err != nil {
		return "", err
	}
	base, err := a.base(place)
	return base.String(), err
}

// A server that hangs holds nobody who has gone, and nobody for ever.
func TestS3Hangs(t *testing.T) {
	f := newFakeS3(t)
	over := make(chan struct{})
	defer close(over)
	b := openTestBlobs(t, f.address(""))
	for what, do := range map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := b.Get(ctx, "a"); return err },
		"put":    func(ctx context.Context) error { return b.Put(ctx, "a", []byte("x")) },
		"delete": func(ctx context.Context) error { return b.Delete(ctx, "a") },
		"list":   func(ctx context.Context) error { return b.DeleteAll(ctx, "a/") },
	} {
		for _, begins := range []bool{false, true} {
			ctx, leave := context.WithCancel(t.Context())
			f.refuse(func(w http.ResponseWriter, _ *http.Request) {
				if begins && what == "get" {
					w.Header().Set("Content-Length", "10")
					w.Header().Set("Last-Modified", testDay.Format(http.TimeFormat))
					_, _ = io.WriteString(w, "begun")
					w.(http.Flusher).Flush()
				}
				leave()
				<-over
			})
			if err := do(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	transport := b.shelf.(*bucket).transport
	if transport.ResponseHeaderTimeout == 0 {
		t.Fatal("answers are waited for without an end")
	}
	transport = transport.Clone()
	transport.ResponseHeaderTimeout = 1
	a, place := s3Address{bucket: "bucket", region: "eu-test-1", pathStyle: true}, &url.URL{Scheme: "http",
		Host: f.Listener.Addr().String()}
	o := a.options(place)
	o.Transport, o.Creds = transport, a.keys(transport)
	client, err := a.client(place, o)
	if err != nil {
		t.Fatal(err)
	}
	f.refuse(slices.Repeat([]http.HandlerFunc{func(http.ResponseWriter, *http.Request) { <-over }}, attempts)...)
	if _, err := (&bucket{name: "bucket", client: client, transport: transport}).get(t.Context(), "a"); err == nil ||
		!strings.Contains(err.Error(), "timeout") {
		t.Errorf("without an answer: %v", err)
	}
}

func TestS3Put(t *testing.T) {
	f := newFakeS3(t)
	b := openTestBlobs(t, f.address("&ssetype=AWS:KMS&kmskeyid=key-1"))
	if err := b.Put(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Amz-Server-Side-Encryption":                "aws:kms",
		"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-1",
		"X-Amz-Content-Sha256":                        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
		"Content-Type":                                "application/octet-stream",
		"X-Amz-Trailer":                               "",
	} {
		if got := f.calls[0].Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
