package ingest

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/aitgithub/telemetry-server/layout/jsonscan"
)

// unknownCountry stands for a client whose address is in no country that we know.
const unknownCountry = "??"

// Countries finds the country of an address in a MaxMind database. It is safe
// for concurrent use.
type Countries struct {
	db *maxminddb.Reader
	// Trusted are the proxies whose X-Forwarded-For is believed.
	trusted []netip.Prefix
}

// OpenCountries opens a database of countries or cities (.mmdb). X-Forwarded-For
// is believed when it comes from a trusted address, and then only back to the
// first address that is not trusted. The caller closes it.
func OpenCountries(file string, trusted []netip.Prefix) (*Countries, error) {
	db, err := maxminddb.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open country database: %w", err)
	}
	return &Countries{db, trusted}, nil
}

// Close releases the database.
func (c *Countries) Close() error { return c.db.Close() }

// Of returns the ISO code (two letters) of the country that the address is in, or "??".
func (c *Countries) Of(addr netip.Addr) string {
	var code string
	if err := c.db.Lookup(addr.Unmap()).DecodePath(&code, "country", "iso_code"); err != nil || len(code) != 2 {
		return unknownCountry
	}
	return code
}

// OfList returns the country of the first address in a list separated by commas
// that has one, or "??".
func (c *Countries) OfList(list string) string {
	for text := range strings.SplitSeq(list, ",") {
		if addr, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil {
			if code := c.Of(addr); code != unknownCountry {
				return code
			}
		}
	}
	return unknownCountry
}

// client returns the address that a request comes from: the connection's, or if
// that is a trusted proxy, the last one in X-Forwarded-For that is not.
func (c *Countries) client(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap()
	if !c.trusts(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return addr
		}
		if addr = next.Unmap(); !c.trusts(addr) {
			return addr
		}
	}
	return addr
}

func (c *Countries) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(c.trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// appendWithCountry appends record, a converted ping, with info.geoCountry set.
// A record without info, or whose info is no object, is appended as it is.
func appendWithCountry(dst, record []byte, country string) []byte {
	for it := jsonscan.MembersTrusted(record, jsonscan.Space(record, 0)); it.Next(); {
		if !jsonscan.Is(it.Key, "info") {
			continue
		}
		if record[it.Start] != '{' {
			break
		}
		members := 0
		info := jsonscan.MembersTrusted(record, it.Start)
		for ; info.Next(); members++ {
			if jsonscan.Is(info.Key, "geoCountry") { // what a client claims does not count
				dst = append(append(append(dst, record[:info.Start]...), '"'), country...)
				return append(append(dst, '"'), record[info.End():]...)
			}
		}
		end := it.End() - 1 // of info's closing brace
		dst = append(dst, record[:end]...)
		if members > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `"geoCountry":"`...), country...), '"')
		return append(dst, record[end:]...)
	}
	return append(dst, record...)
}
