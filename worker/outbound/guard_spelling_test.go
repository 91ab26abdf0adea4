package outbound

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"heddle/domain/refusal"
)

// spellings are other words for the host of a server on loopback, at its port.
var spellings = []string{
	"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001",
	"0x7f.1", "127.000.000.001",
	"0", "0.0.0.0", "00000000", "0x0", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.",
	"LocalHost.", "ip6-localhost",
	"[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
	"[::127.0.0.1]", "[::ffff:0:127.0.0.1]",
	"[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[::1%25lo]", "[fe80::1%25lo]",
	"[fe80::1%25eth0]",
	"user@127.0.0.1", "user:password@127.0.0.1", "public.example@127.0.0.1", "127.0.0.1%00.public.example",
	"127.0.0.1%2f.public.example",
	"①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "ⓛocalhost", "localhost%E3%80%82", "%31%32%37.0.0.1", "127.0.0.1%09",
	"127.0.0.1%0d%0a", " 127.0.0.1",
}

// No spelling of a private address is reached, asked for or redirected to, by any scheme.
func TestGuardSpellings(t *testing.T) {
	answers{"public.example": {"127.0.0.1"}}.stand(t)
	secret, hits := private(t, nil)
	_, port, _ := strings.Cut(strings.TrimPrefix(secret.URL, "http://"), ":")
	to := ""
	redirecting, _ := private(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
	client := guarded(t, strings.TrimPrefix(redirecting.URL, "http://"))
	for _, host := range spellings {
		for _, scheme := range []string{"http", "https", "HTTP", "ftp", "file", "gopher", "unix", ""} {
			target := scheme + "://" + host + ":" + port + "/secret"
			if scheme == "" {
				target = target[1:]
			}
			if err := get(t, client, target); err == nil {
				t.Errorf("%s is reached", target)
			}
			to = target
			if err := get(t, client, redirecting.URL); err == nil {
				t.Errorf("%s is reached by a redirect", target)
			}
		}
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("%d requests got through", n)
	}
}

// answers are a name server's, by name; it answers each query once by them.
type answers map[string][]string

// serve takes queries until the connection is closed.
func (a answers) serve(conn net.PacketConn) error {
	for query := make([]byte, 512); ; {
		n, from, err := conn.ReadFrom(query)
		if err != nil {
			return nil
		}
		if _, err := conn.WriteTo(a.answer(query[:n]), from); err != nil {
			return err
		}
	}
}

// stand puts the server in the place of the system's.
func (a answers) stand(t *testing.T) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving errgroup.Group
	serving.Go(func() error {
		return a.serve(conn)
	})
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		_ = conn.Close()
		if err := serving.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// answer puts a reply together as RFC 1035 has it: the question again, and an address a record.
func (a answers) answer(query []byte) []byte {
	var labels []string
	at := 12
	for query[at] > 0 {
		length := int(query[at])
		labels = append(labels, string(query[at+1:at+1+length]))
		at += 1 + length
	}
	kind := binary.BigEndian.Uint16(query[at+1:])
	reply := append([]byte(nil), query[:at+5]...)
	reply[2], reply[3] = 0x81, 0x80
	binary.BigEndian.PutUint32(reply[8:], 0) // no authority, nothing more
	count := 0
	for _, text := range a[strings.ToLower(strings.Join(labels, "."))] {
		if address := netip.MustParseAddr(text); address.Is4() == (kind == 1) && (kind == 1 || kind == 28) {
			reply = append(reply, 0xc0, 12)
			reply = binary.BigEndian.AppendUint16(reply, kind)
			reply = append(reply, 0, 1, 0, 0, 0, 0)
			reply = binary.BigEndian.AppendUint16(reply, uint16(len(address.AsSlice())))
			reply = append(reply, address.AsSlice()...)
			count++
		}
	}
	binary.BigEndian.PutUint16(reply[6:], uint16(count))
	return reply
}

// Whatever a name server answers, each of the addresses is looked at before it is dialled; a name that the
// operator allows allows no other.
func TestGuardNames(t *testing.T) {
	answers{
		"one.test": {"127.0.0.1"}, "six.test": {"::1"}, "mixed.test": {"10.0.0.1", "127.0.0.1", "::1",
			"169.254.169.254"},
		"mapped.test": {"::ffff:127.0.0.1"}, "translated.test": {"64:ff9b::7f00:1", "2002:7f00:1::"},
		"friend.test": {"127.0.0.1"},
	}.stand(t)
	server, hits := private(t, nil)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	client := guarded(t, "friend.test")
	for _, name := range []string{"one.test", "ONE.test", "one.test.", "six.test", "mixed.test", "mapped.test",
		"translated.test", "none.test", "sub.friend.test", "friend.test.one.test", "friend-test"} {
		err := get(t, client, "http://"+name+":"+port)
		if err == nil || name != "none.test" && !strings.Contains(name, "friend") &&
			refusal.CodeOf(err) != refusal.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("%d requests got through", n)
	}
	for _, name := range []string{"friend.test", "Friend.test."} {
		if err := get(t, client, "http://"+name+":"+port); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
