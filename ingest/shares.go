package ingest

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Shares bound what one client's address, and one namespace, may take. The zero value
// bounds nothing.
type Shares struct {
	// AddressRequests is how many requests of one address that come through trusted proxies
	// are answered at the same time; 0: any number. Connections without a proxy have a
	// limit of their own, LimitConnections.
	AddressRequests int
	// AddressRate and NamespaceRate are how many requests per minute are answered, on
	// average and at once after a pause; 0: any number.
	AddressRate   int
	NamespaceRate int
}

const (
	// maxShares bounds the addresses, and the namespaces, that are told apart. Those that
	// come when there are so many active ones have one share together.
	maxShares = 50_000
	// ipv6Bits is the part of an IPv6 address that stands for a client, which usually has
	// all addresses below it.
	ipv6Bits = 64
)

// addressOf returns what stands for a client: its address, or its network of IPv6.
func addressOf(addr netip.Addr) netip.Addr {
	if addr.Is4() || !addr.IsValid() {
		return addr
	}
	network, err := addr.WithZone("").Prefix(ipv6Bits)
	if err != nil {
		return addr
	}
	return network.Addr()
}

// share is what one address or namespace takes.
type share struct {
	requests int // being answered
	rate     *rate.Limiter
}

// shares are those of all keys. They are safe for concurrent use.
type shares[K comparable] struct {
	most    int // requests at the same time; 0: any number
	perMin  int // requests per minute; 0: any number
	maximum int

	mu    sync.Mutex // protects what follows
	byKey map[K]*share
	rest  *share // of the keys that have none of their own
}

func newShares[K comparable](most, perMinute int) *shares[K] {
	s := &shares[K]{most: most, perMin: perMinute, maximum: maxShares, byKey: map[K]*share{}}
	s.rest = s.newShare()
	return s
}

func (s *shares[K]) newShare() *share {
	limit := rate.Inf
	if s.perMin > 0 {
		limit = rate.Limit(s.perMin) / 60
	}
	return &share{rate: rate.NewLimiter(limit, s.perMin)}
}

// begin says whether one more request may be answered; then the caller calls end.
func (s *shares[K]) begin(k K, now time.Time) (end func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	taken := s.byKey[k]
	if taken == nil {
		taken = s.add(k, now)
	}
	if s.most > 0 && taken.requests >= s.most || !taken.rate.AllowN(now, 1) {
		return nil, false
	}

	taken.requests++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		taken.requests--

		// Without a rate there is nothing to know about a client that is gone.
		if taken.requests == 0 && s.perMin == 0 && taken != s.rest {
			delete(s.byKey, k)
		}
	}, true
}

// add gives a key its share. s.mu is held.
func (s *shares[K]) add(k K, now time.Time) *share {
	// Those that are idle, and could have all their requests at once again, make room.
	if len(s.byKey) >= s.maximum {
		for other, taken := range s.byKey {
			if taken.requests == 0 && taken.rate.TokensAt(now) >= float64(s.perMin) {
				delete(s.byKey, other)
			}
		}
	}
	if len(s.byKey) >= s.maximum {
		return s.rest
	}

	added := s.newShare()
	s.byKey[k] = added
	return added
}

// sharing answers requests beyond their shares with 429.
type sharing struct {
	trusted    []netip.Prefix
	throughput *shares[netip.Addr] // nil: no limit
	proxied    *shares[netip.Addr] // nil: no limit
	namespaces *shares[string]     // nil: no limit
}

// newSharing returns nil if nothing is bounded.
func newSharing(o Shares, trusted []netip.Prefix) *sharing {
	s := &sharing{trusted: trusted}
	if o.AddressRate > 0 {
		s.throughput = newShares[netip.Addr](0, o.AddressRate)
	}
	if o.AddressRequests > 0 && len(trusted) > 0 {
		s.proxied = newShares[netip.Addr](o.AddressRequests, 0)
	}
	if o.NamespaceRate > 0 {
		s.namespaces = newShares[string](0, o.NamespaceRate)
	}

	if s.throughput == nil && s.proxied == nil && s.namespaces == nil {
		return nil
	}
	return s
}

// begin says whether a request may be answered; then the caller calls end.
func (s *sharing) begin(r *http.Request) (end func(), ok bool) {
	now := time.Now()
	client := addressOf(clientAddr(r, s.trusted))
	if s.throughput != nil {
		ended, ok := s.throughput.begin(client, now)
		if !ok {
			return nil, false
		}
		ended()
	}
	if name, ok := namespaceOf(r); ok && s.namespaces != nil {
		ended, ok := s.namespaces.begin(name, now)
		if !ok {
			return nil, false
		}
		ended()
	}

	// What does not come through a proxy is bounded by its connections.
	if s.proxied == nil || isPeer(r, client) {
		return func() {}, true
	}
	return s.proxied.begin(client, now)
}

// isPeer says whether the request's connection is the client's own.
func isPeer(r *http.Request, client netip.Addr) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err != nil || addressOf(peer.Addr().Unmap()) == client
}

// namespaceOf returns the part of a submission's path behind /submit/.
func namespaceOf(r *http.Request) (string, bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/submit/")
	if !ok {
		return "", false
	}
	name, _, _ := strings.Cut(rest, "/")
	return name, len(name) <= maxNamespaceBytes
}

// maxNamespaceBytes bounds a namespace that has a share; longer ones are not found.
const maxNamespaceBytes = 100
