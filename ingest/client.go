package ingest

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddr returns the address that a request comes from: the connection's, or
// if that is a trusted proxy, the last one in X-Forwarded-For that is not.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}

	isTrusted := func(addr netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
	}

	// Without a proxy that is trusted, the header is what anybody may write.
	addr := peer.Addr().Unmap()
	if !isTrusted(addr) {
		return addr
	}

	// Each proxy appends the address that it was connected to by. So the list is
	// believed from its end on, as long as trusted proxies wrote it.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return addr
		}

		addr = next.Unmap()
		if !isTrusted(addr) {
			return addr
		}
	}

	return addr
}
