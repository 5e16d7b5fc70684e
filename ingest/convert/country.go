package convert

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// unknownCountry stands for a client whose address is in no country that we know.
const unknownCountry = "??"

// Countries finds the country of an address in a MaxMind database. It is safe
// for concurrent use.
type Countries struct {
	db *maxminddb.Reader
}

// OpenCountries opens a database of countries or cities (.mmdb). The caller
// closes it.
func OpenCountries(file string) (*Countries, error) {
	db, err := maxminddb.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open country database: %w", err)
	}
	return &Countries{db}, nil
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

// Locate sets the country of a submission that has an address and no country yet.
func (o *Options) Locate(s *rawlog.Submission) {
	if s.Country == "" && s.Address != "" && o.Countries != nil {
		s.Country = o.Countries.OfList(s.Address)
	}
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

		// Replace what a client has there, because only the server knows.
		members := 0
		info := jsonscan.MembersTrusted(record, it.Start)
		for ; info.Next(); members++ {
			if jsonscan.Is(info.Key, "geoCountry") {
				dst = append(append(append(dst, record[:info.Start]...), '"'), country...)
				return append(append(dst, '"'), record[info.End():]...)
			}
		}

		// Otherwise it becomes the last member.
		end := it.End() - 1 // the offset of info's closing brace
		dst = append(dst, record[:end]...)
		if members > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `"geoCountry":"`...), country...), '"')
		return append(dst, record[end:]...)
	}
	return append(dst, record...)
}
