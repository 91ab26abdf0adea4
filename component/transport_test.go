package component

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"heddle/domain"
)

func TestTransportBoundsAnswers(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.Path)-1))
	}))
	defer server.Close()
	strict := Transport{&http.Transport{}, 4}
	defer strict.CloseIdleConnections()
	if response, err := (&http.Client{Transport: strict}).Get(server.URL); err == nil {
		response.Body.Close()
		t.Error("an unknown certificate was accepted")
	}
	lenient, done, _ := strict.Lenient()
	defer done()
	for length, want := range map[int]string{0: "", 3: "xxx", 4: "xxxx", 5: "", 100: ""} {
		response, err := (&http.Client{Transport: lenient}).Get(server.URL + "/" + strings.Repeat("p", length))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if length > 4 {
			if domain.CodeOf(err) != domain.Invalid || len(body) != 4 || !strings.Contains(err.Error(), "HEDDLE_HTTP_RESPONSE") {
				t.Errorf("%d: got %q, %v", length, body, err)
			}
		} else if string(body) != want || err != nil {
			t.Errorf("%d: got %q, %v", length, body, err)
		}
	}
}
