package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

// site serves one page and hears what it tells.
type site struct {
	*httptest.Server
	told chan string
}

func newSite(t *testing.T) *site {
	s := &site{told: make(chan string, 100)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter,
		r *http.Request) {
		http.ServeFile(w, r, "testdata/clients/browser.html")
	})
	mux.HandleFunc("POST /told", func(_ http.ResponseWriter, r *http.Request) {
		line, _ := io.ReadAll(r.Body) // what is missing is missed in the line
		s.told <- string(line)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// expect waits for the lines in their order.
func (s *site) expect(t *testing.T, lines ...string) {
	t.Helper()
	for _, want := range lines {
		select {
		case got := <-s.told:
			if got != want {
				t.Fatalf("the page tells %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("the page does not tell %q", want)
		}
	}
}

// TestBrowser has a real browser use a running server: from a page of a listed origin, whose EventSource
// goes on where its connection was cut, and from one that another site frames in it.
func TestBrowser(t *testing.T) {
	browser := os.Getenv("HEDDLE_TEST_BROWSER")
	if browser == "" {
		t.Skip("HEDDLE_TEST_BROWSER names no browser such as chromium-headless-shell: pages in a browser are not tried")
	}
	friend, stranger, hook := newSite(t), newSite(t), newHook()
	t.Cleanup(hook.Close)
	h := newHarness(t, "HEDDLE_ALLOW_HOSTS=127.0.0.1", "HEDDLE_ORIGINS="+friend.URL)
	h.start()
	answer := hook.block()
	defer answer()
	execution := h.trigger(h.deploy(calling), `{"url": "`+hook.URL+`"}`)
	server, err := url.Parse(h.url)
	h.must(err)
	proxy := httputil.NewSingleHostReverseProxy(server)
	proxy.FlushInterval = -1 // at once
	way := httptest.NewServer(proxy)
	t.Cleanup(way.Close)
	address := func(s *site, frame string) string {
		return s.URL + "/?" + url.Values{"url": {h.url + "/api"}, "way": {way.URL + "/api"}, "token": {h.token},
			"execution": {execution}, "frame": {frame}}.Encode()
	}
	browse(t, browser, address(friend, address(stranger, "")))

	friend.expect(t, "POST Heddle", "GET Heddle", "form sent", "socket Heddle", "event QUEUED", "event CLAIMED",
		"event STEP_FINISHED")
	stranger.expect(t, "fetch refused", "form sent", "socket refused", "events refused", "end")
	way.CloseClientConnections()
	answer()
	friend.expect(t, "events again", "event STEP_FINISHED", "event FINISHED", "events complete", "end")
	if customers := at(h.call(`{ customers { nodes { name } } }`, nil),
		"customers.nodes").([]any); len(customers) != 1 {
		t.Errorf("a form has written: %v", customers)
	}
}

// browse starts a browser on a page and ends it, with the processes that it starts, with the test.
func browse(t *testing.T, browser, page string) {
	t.Helper()
	output := newCapture()
	arguments := []string{"--headless", "--disable-gpu", "--user-data-dir=" + t.TempDir(), "--remote-debugging-port=0",
		page}
	if os.Getuid() == 0 { // its sandbox is not for root
		arguments = slices.Insert(arguments, 0, "--no-sandbox")
	}
	cmd := exec.Command(browser, arguments...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("the browser wrote:\n%s", output)
		}
	})
}
