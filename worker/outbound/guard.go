// Package outbound has the client for all requests that integrations cause. It reaches only public addresses.
package outbound

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"heddle/component"
	"heddle/domain/refusal"
)

const (
	dialTimeout    = 10 * time.Second
	maxRedirects   = 10
	maxHeaderBytes = 256 << 10 // of an answer; each short line of them is held many times as large
)

// Limits bound outgoing requests. A request may set lower ones itself.
type Limits struct {
	Time     time.Duration // HEDDLE_HTTP_TIMEOUT: of one attempt, reading its answer included
	Response int64         // HEDDLE_HTTP_RESPONSE: bytes of an answer's body, after decompression
}

// DefaultLimits are the limits unless the configuration sets others.
var DefaultLimits = Limits{Time: 2 * time.Minute, Response: 32 << 20}

// NewClient makes the client for all requests that integrations cause. It reaches only public addresses, and
// private ones that the operator allows: each entry is a host name, an address, either of them with a port, or a
// CIDR. A name allows requests under that name and nothing else that has the same address.
//
// The check is made on the address that is dialled, after the name was resolved and again at each redirect, so no
// spelling of an address and no change of a DNS answer gets around it. There is no proxy: the check would see the
// proxy's address.
func NewClient(allow []string, limits Limits) (*http.Client, error) {
	g, err := newGuard(allow)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: limits.Time,
		Transport: component.Transport{MaxBody: limits.Response, Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            g.dial,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    dialTimeout,
			IdleConnTimeout:        90 * time.Second,
			MaxIdleConns:           200,
			MaxIdleConnsPerHost:    10,
			MaxResponseHeaderBytes: maxHeaderBytes,
		}},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) >= maxRedirects {
				return refusal.New(refusal.Invalid, "stopped after %d redirects", maxRedirects)
			}
			component.Redirected(next, via)
			return nil
		},
	}, nil
}

// guard decides which addresses may be dialled.
type guard struct {
	names    map[string]bool // "host" and "host:port"
	prefixes []netip.Prefix
	places   map[netip.AddrPort]bool
	guardian *ssrf.Guardian
}

func newGuard(allow []string) (*guard, error) {
	g := &guard{
		names:    map[string]bool{},
		places:   map[netip.AddrPort]bool{},
		guardian: ssrf.New(ssrf.WithAnyPort()),
	}
	for _, entry := range allow {
		if err := g.allow(strings.ToLower(strings.TrimSpace(entry))); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// allow adds an entry of the configuration.
func (g *guard) allow(entry string) error {
	if entry == "" {
		return nil
	}
	if prefix, err := netip.ParsePrefix(entry); err == nil {
		g.prefixes = append(g.prefixes, prefix.Masked())
		return nil
	}
	if addr, err := netip.ParseAddr(entry); err == nil {
		g.prefixes = append(g.prefixes, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		return nil
	}
	if place, err := netip.ParseAddrPort(entry); err == nil {
		g.places[netip.AddrPortFrom(place.Addr().Unmap(), place.Port())] = true
		return nil
	}
	host, port, err := net.SplitHostPort(entry)
	if err != nil {
		host, port = entry, ""
	}
	if host == "" || strings.ContainsAny(host, "/:*@[] ") || strings.Trim(port, "0123456789") != "" {
		return refusal.ForField(refusal.Invalid, "HEDDLE_ALLOW_HOSTS", "%q is no host, host:port, address or CIDR",
			entry)
	}
	g.names[joinPort(host, port)] = true
	return nil
}

func joinPort(host, port string) string {
	host = strings.TrimSuffix(host, ".")
	if port == "" {
		return host
	}
	return host + ":" + port
}

// dial connects to an address as a URL spells it.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, Control: g.control}
	if host, port, err := net.SplitHostPort(strings.ToLower(address)); err == nil {
		if g.names[joinPort(host, "")] || g.names[joinPort(host, port)] {
			dialer.Control = nil // the operator trusts the name, whatever it resolves to
		}
	}
	return dialer.DialContext(ctx, network, address)
}

// control is called with the address about to be connected to.
func (g *guard) control(network, address string, c syscall.RawConn) error {
	place, err := netip.ParseAddrPort(address)
	if err != nil {
		return refusal.New(refusal.Forbidden, "address %s cannot be read", address)
	}
	addr := place.Addr().Unmap()
	if g.places[netip.AddrPortFrom(addr, place.Port())] {
		return nil
	}
	for _, prefix := range g.prefixes {
		if prefix.Contains(addr) {
			return nil
		}
	}
	if g.guardian.Safe(network, address, c) != nil {
		return refusal.New(refusal.Forbidden, "address %s is private; add it to HEDDLE_ALLOW_HOSTS to allow it", addr)
	}
	return nil
}
