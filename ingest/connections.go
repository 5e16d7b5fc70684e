package ingest

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// LimitConnections returns l with at most so many open connections from one address (one
// network of 64 bits, of IPv6). One more is closed at once, which over calls, unless it is
// nil. The proxies that are trusted have no limit: requests through them have
// Shares.AddressRequests.
func LimitConnections(l net.Listener, most int, trusted []netip.Prefix, over func()) net.Listener {
	return &addressListener{Listener: l, most: most, trusted: trusted, over: over, open: map[netip.Addr]int{}}
}

type addressListener struct {
	net.Listener
	most    int
	trusted []netip.Prefix
	over    func()

	mu   sync.Mutex // protects open
	open map[netip.Addr]int
}

func (l *addressListener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}

		peer, err := netip.ParseAddrPort(accepted.RemoteAddr().String())
		if err != nil {
			return accepted, nil // not of TCP
		}
		addr := peer.Addr().Unmap()
		if slices.ContainsFunc(l.trusted, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return accepted, nil
		}

		client := addressOf(addr)
		if l.take(client) {
			return &addressConn{Conn: accepted, free: sync.OnceFunc(func() { l.give(client) })}, nil
		}
		accepted.Close()
		if l.over != nil {
			l.over()
		}
	}
}

// take counts one more connection of a client, if it may have one.
func (l *addressListener) take(client netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.open[client] >= l.most {
		return false
	}
	l.open[client]++
	return true
}

// give counts one less.
func (l *addressListener) give(client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.open[client]--
	if l.open[client] == 0 {
		delete(l.open, client)
	}
}

// addressConn is a connection that counts until it is closed.
type addressConn struct {
	net.Conn
	free func()
}

func (c *addressConn) Close() error {
	c.free()
	return c.Conn.Close()
}
