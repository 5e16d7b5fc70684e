package convert

import (
	"bytes"
	"strconv"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// Fallback finds the revision of a ping that does not name one;
// *revisions.Cache is one. It is told channel, build ID and version as the ping
// has them, "UNKNOWN" for what is missing, and answers whether it found one and
// by what, a short word that goes into the record.
type Fallback interface {
	FindRevision(channel, buildID, version string) (ref revisions.Ref, by string, ok bool)
}

// fallbackMark is the member of info that says by what info.revision was found
// for a ping that did not have one.
const fallbackMark = "revisionFallback"

// findRevision returns the revision URL of a ping that has none, and keeps what its
// info gets in addition. The channel and so on are those of info, or, for a
// unified ping, those of the info that is being put together. The error is a
// *Rejection.
func (c *Converter) findRevision(text []byte, ping, info *object) (url []byte, err error) {
	dim := func(i int) string {
		name, value := schema.DimNames[i], []byte("null")
		if ping != &c.top {
			if f := find(c.fields, name); f != nil {
				value = f.value
			}
		} else if m := info.find(name); m != nil {
			value = text[m.start:m.end]
		}
		s, err := c.dimensionOf(name, value)
		if err != nil {
			return schema.Unknown // which whoever needs the dimension finds out again
		}
		return s
	}
	if c.o.Fallback != nil {
		ref, by, ok := c.o.Fallback.FindRevision(dim(schema.Channel), dim(schema.BuildID), dim(schema.Version))
		if ok {
			c.filled = []field{{"revision", strconv.AppendQuote(nil, ref.URL())}, {fallbackMark, strconv.AppendQuote(nil, by)}}
			return []byte(ref.URL()), nil
		}
	}
	return nil, badConversion("Missing in payload: info.revision")
}

// filledInfo writes an info with the members that it gets in addition, last.
func (c *Converter) filledInfo(info []byte) {
	begin := len(c.out)
	c.out = append(c.out, bytes.TrimRight(info[:len(info)-1], " \t")...)
	for _, f := range c.filled {
		c.key([]byte(f.name))
		c.out = append(c.out, f.value...)
	}
	c.out = append(c.out, '}')
	if c.info.find(fallbackMark) != nil { // whatever the client meant by it
		c.out = keepLast(c.out, begin)
	}
}

// isInfo says whether a member is the info that findRevision filled in.
func (c *Converter) isInfo(m *member, text []byte) bool {
	return len(c.filled) > 0 && jsonscan.Is(m.key, "info") && text[m.start] == '{'
}
