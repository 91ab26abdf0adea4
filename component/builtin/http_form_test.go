package builtin

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heddle/component/value"
	"heddle/domain/refusal"
)

func TestHTTPForm(t *testing.T) {
	server, last := echo(t, nil)
	got, err := newStep(t).perform("http", "httpPostFormData", in("url", server.URL, "httpMethod", "put",
		"formData", []value.KeyValue{{Key: "name", Value: "é"}, {Key: "list", Value: []any{1.0}}},
		"fileData",
		[]value.KeyValue{{Key: "a", Value: map[string]any{"data": []byte{0, 255}, "contentType": "image/png"}},
			{Key: "b", Value: "text"}, {Key: "c", Value: nil}}, "fileDataFileNames",
		[]value.KeyValue{{Key: "a", Value: `x".png`}}))
	if !cmp.Equal(got.Data, any(map[string]any{"ok": true})) || err != nil || last.method != "PUT" {
		t.Fatalf("got %v, %v, %s", got.Data, err, last.method)
	}
	_, params, err := mime.ParseMediaType(last.header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for reader := multipart.NewReader(strings.NewReader(last.body), params["boundary"]); ; {
		part, err := reader.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(part)
		parts = append(parts,
			strings.Join([]string{part.FormName(), part.FileName(), part.Header.Get("Content-Type"), string(data)},
				"|"))
	}
	want := []string{"name|||é", "list|||[1]", `a|x".png|image/png|` + "\x00\xff",
		"b|b|text/plain; charset=utf-8|text", "c|c||"}
	if diff := cmp.Diff(want, parts); diff != "" {
		t.Error(diff)
	}
}

func TestHTTPFormRefuses(t *testing.T) {
	for want, inputs := range map[string]map[string]any{
		"httpMethod: HTTP method must be one of": in("url", "http://x", "httpMethod", "get"),
		`fileData: the file "f" cannot be sent`: in("url", "http://x", "fileData",
			[]value.KeyValue{{Key: "f", Value: []any{func() {}}}}),
		"formData: Form data must be":         in("url", "http://x", "formData", "x"),
		"url: URL is required":                in("formData", []any{}),
		"maxRedirects: Max redirects must be": in("url", "http://x", "maxRedirects", "21"),
	} {
		if _, err := newStep(t).perform("http", "httpPostFormData", inputs); refusal.CodeOf(err) != refusal.Invalid ||
			!strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestHTTPAnyMethod(t *testing.T) {
	server, last := echo(t, nil)
	for method, want := range map[string]string{"": "GET", "post": "POST", "OPTIONS": "OPTIONS"} {
		if _, err := newStep(t).perform("customHttp", "httpRequest", in("url", server.URL, "method", method, "data",
			"x")); err != nil || last.method != want || last.body != "x" {
			t.Errorf("%s: sent %s %q, %v", method, last.method, last.body, err)
		}
	}
}

// Redirects are bounded, and lose the flow's own headers on the way to another host.
func TestHTTPRedirects(t *testing.T) {
	elsewhere, last := echo(t, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			_, _ = io.WriteString(w, `"`+r.Header.Get("X-Key")+`"`)
		}
	}))
	defer server.Close()
	connection := map[string]any{"fields": map[string]any{"apiKey": "k", "headerKey": "X-Key"}}
	got, err := newStep(t).perform("http", "httpGet", in("url", server.URL, "connection", connection))
	if got.Data != "k" || err != nil {
		t.Errorf("got %v, %v", got.Data, err)
	}
	if _, err := newStep(t).perform("http", "httpGet", in("url", server.URL+"/away?secret=s", "connection", connection,
		"headers", []value.KeyValue{{Key: "X-Other", Value: "o"}, {Key: "Accept", Value: "text/csv"}})); err != nil ||
		last.header.Get("X-Key") != "" || last.header.Get("Referer") != "" || last.header.Get("X-Other") != "" ||
		last.header.Get("Accept") != "text/csv" {
		t.Errorf("sent %v, %v", last.header, err)
	}
	for limit, want := range map[string]string{"": "stopped after 5 redirects", "0": "stopped after 0 redirects"} {
		if _, err := newStep(t).perform("http", "httpGet", in("url", server.URL+"/round", "maxRedirects",
			limit)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
