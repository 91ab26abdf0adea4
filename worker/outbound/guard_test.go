package outbound

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"heddle/component"
	"heddle/domain/refusal"
)

func guarded(t *testing.T, allow ...string) *http.Client {
	t.Helper()
	client, err := NewClient(allow, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// private counts the requests that get through to a server on loopback.
func private(t *testing.T, handler http.HandlerFunc) (server *httptest.Server, hits *atomic.Int32) {
	t.Helper()
	hits = new(atomic.Int32)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		if handler != nil {
			handler(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server, hits
}

func get(t *testing.T, client *http.Client, target string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestGuardRefusesPrivateAddresses(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	client := guarded(t)
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.5.5", "192.168.1.1", "100.64.0.1",
		"169.254.1.1", "169.254.169.254", "192.0.2.1", "224.0.0.1", "255.255.255.255",
		"[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]",
		"[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001::1]",
		"[ff02::1]", "localhost",
	} {
		err := get(t, client, "http://"+host+":9/")
		if refusal.CodeOf(err) != refusal.Forbidden ||
			!strings.Contains(err.Error(), "add it to HEDDLE_ALLOW_HOSTS to allow it") {
			t.Errorf("%s: got %v", host, err)
		}
	}
}

func TestGuardMessage(t *testing.T) {
	g, err := newGuard(nil)
	if err != nil {
		t.Fatal(err)
	}
	err = g.control("tcp4", "127.0.0.1:80", nil)
	if want := "address 127.0.0.1 is private; add it to HEDDLE_ALLOW_HOSTS to allow it"; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := g.control("tcp4", "not an address", nil); refusal.CodeOf(err) != refusal.Forbidden {
		t.Errorf("got %v", err)
	}
}

func TestGuardAllowsPublicAddresses(t *testing.T) {
	g, err := newGuard(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"8.8.8.8:443", "93.184.216.34:8080", "[2606:4700::1111]:443"} {
		network := "tcp4"
		if strings.HasPrefix(address, "[") {
			network = "tcp6"
		}
		if err := g.control(network, address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// Spellings that are no IP address to Go are host names, which nobody resolves, or the resolver of
// the system knows them and the check sees what they stand for.
func TestGuardOddSpellings(t *testing.T) {
	server, hits := private(t, nil)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	client := guarded(t)
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "127.0.0.1.",
		"①②⑦.0.0.1", "localhost."} {
		if err := get(t, client, "http://"+host+":"+port+"/"); err == nil {
			t.Errorf("%s got through", host)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests reached the server", hits.Load())
	}
}

func TestGuardAllowList(t *testing.T) {
	server, _ := private(t, nil)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	byAddress, byName := "http://127.0.0.1:"+port, "http://localhost:"+port
	for name, c := range map[string]struct {
		entry         string
		address, name bool
	}{
		"address":           {"127.0.0.1", true, true},
		"address and port":  {"127.0.0.1:" + port, true, true},
		"other port":        {"127.0.0.1:1", false, false},
		"CIDR":              {"127.0.0.0/8", true, true},
		"other CIDR":        {"10.0.0.0/8", false, false},
		"mapped":            {"::ffff:127.0.0.1", true, true},
		"name":              {"localhost", false, true},
		"name in capitals":  {" LOCALHOST. ", false, true},
		"name and port":     {"localhost:" + port, false, true},
		"name, other port":  {"localhost:1", false, false},
		"part of the name":  {"local", false, false},
		"empty":             {"", false, false},
		"IPv6 only":         {"[::1]:" + port, false, false},
		"IPv6 address only": {"::1", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			client := guarded(t, c.entry)
			if err := get(t, client, byAddress); (err == nil) != c.address {
				t.Errorf("%s: got %v", byAddress, err)
			}
			if err := get(t, client, byName); (err == nil) != c.name {
				t.Errorf("%s: got %v", byName, err)
			}
		})
	}
}

func TestGuardRefusesBadEntries(t *testing.T) {
	for _, entry := range []string{"http://localhost", "*.internal", "10.0.0.0/33", "a b", "host:http", ":80",
		"user@host", "[::1"} {
		if _, err := NewClient([]string{entry}, DefaultLimits); refusal.CodeOf(err) != refusal.Invalid ||
			!strings.Contains(err.Error(), "HEDDLE_ALLOW_HOSTS") {
			t.Errorf("%s: got %v", entry, err)
		}
	}
}

func TestGuardChecksRedirects(t *testing.T) {
	inner, innerHits := private(t, nil)
	outer, _ := private(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inner.URL, http.StatusFound)
	})
	client := guarded(t, outer.Listener.Addr().String())
	if err := get(t, client, outer.URL); refusal.CodeOf(err) != refusal.Forbidden {
		t.Errorf("got %v", err)
	}
	if innerHits.Load() != 0 {
		t.Error("the redirect reached a server that is not allowed")
	}
}

func TestGuardBoundsRedirects(t *testing.T) {
	server, hits := private(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	err := get(t, guarded(t, "127.0.0.1"), server.URL)
	if err == nil || !strings.Contains(err.Error(), "stopped after 10 redirects") || hits.Load() != maxRedirects {
		t.Errorf("got %v after %d requests", err, hits.Load())
	}
}

// What a script sends with a request is not told to others by a redirect either.
func TestGuardKeepsHeadersFromOthers(t *testing.T) {
	var got http.Header
	other, _ := private(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	server, _ := private(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusFound)
	})
	request, _ := http.NewRequest(http.MethodGet, server.URL+"/?key=secret", nil)
	request.Header.Set("X-Api-Key", "k")
	request.Header.Set("Authorization", "a")
	request.Header.Set("Accept", "text/csv")
	response, err := guarded(t, "127.0.0.1").Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got.Get("X-Api-Key")+got.Get("Authorization")+got.Get("Referer") != "" || got.Get("Accept") != "text/csv" {
		t.Errorf("sent %v", got)
	}
}

// A pooled connection to an allowed name must not serve a request by another name or by address.
func TestGuardKeepsConnectionsApart(t *testing.T) {
	server, hits := private(t, nil)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	client := guarded(t, "localhost")
	if err := get(t, client, "http://localhost:"+port); err != nil {
		t.Fatal(err)
	}
	if err := get(t, client, "http://127.0.0.1:"+port); refusal.CodeOf(err) != refusal.Forbidden || hits.Load() != 1 {
		t.Errorf("got %v, %d requests reached the server", err, hits.Load())
	}
}

// The environment's proxy settings must have no say.
func TestGuardIgnoresProxies(t *testing.T) {
	proxy, hits := private(t, nil)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	client := guarded(t)
	if p := client.Transport.(component.Transport).Proxy; p != nil {
		u, err := p(&http.Request{URL: &url.URL{Scheme: "http", Host: "example.com"}})
		t.Errorf("a proxy is used: %v, %v", u, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://example.com", nil)
	if _, err := client.Do(request); err == nil || hits.Load() != 0 {
		t.Errorf("got %v, %d requests reached the proxy", err, hits.Load())
	}
}
