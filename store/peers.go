package store

import (
	"net"
	"net/netip"
	"sync"
)

// Peers counts open resources, in all and for each peer, so that one peer does not use up the places of others.
type Peers struct {
	Most, Each int // open at once, in all and for one peer

	mu   sync.Mutex
	open int
	from map[string]int
}

// Enter counts one for the peer at a remote address, until leave is called. If there are too many, leave is
// nil, and alone reports whether that peer's own are.
func (p *Peers) Enter(remote string) (leave func(), alone bool) {
	peer := PeerOf(remote)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open >= p.Most || p.from[peer] >= p.Each {
		return nil, p.open < p.Most
	}
	if p.from == nil {
		p.from = map[string]int{}
	}
	p.open++
	p.from[peer]++
	return sync.OnceFunc(func() { p.leave(peer) }), false
}

func (p *Peers) leave(peer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if p.from[peer]--; p.from[peer] == 0 {
		delete(p.from, peer)
	}
}

// PeerOf returns the peer of a remote address, with or without a port: one host, and of IPv6 its network, since
// whoever has one address there has 2^64.
func PeerOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if address = address.Unmap().WithZone(""); address.Is4() {
		return address.String()
	}
	return netip.PrefixFrom(address, 64).Masked().String()
}
