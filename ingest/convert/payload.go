package convert

import (
	"context"
	"strconv"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// The values of ver: how a classic ping's histograms are written, or what kind
// of ping it is.
const (
	verUnconverted      = 1
	verConverted        = 2
	verFirefoxOS        = 3 // Firefox OS 1.3
	verUnifiedConverted = 5 // was a unified saved-session ping
)

// payload converts the ping whose top level, text[begin:end], is indexed.
func (c *Converter) payload(ctx context.Context, text []byte, begin, end int) (Record, error) {
	if ver := c.top.find("ver"); ver != nil {
		return c.classic(ctx, text, begin, end, text[ver.start:ver.end])
	}
	if v := c.top.find("version"); v != nil {
		return c.unified(ctx, text, begin, end, text[v.start:v.end])
	}
	return Record{}, badConversion("Missing payload version")
}

// classic converts a ping from before telemetry and health report were unified.
func (c *Converter) classic(ctx context.Context, text []byte, begin, end int, ver []byte) (Record, error) {
	switch version(ver) {
	case verUnconverted:
		info, spec, err := c.revision(ctx, text, &c.top)
		if err != nil {
			return Record{}, err
		}
		d, err := c.dimensions(text, info)
		if err != nil {
			return Record{}, err
		}
		c.out = append(c.out[:0], '{')
		if err := c.rewrite(text, &c.top, spec); err != nil {
			return Record{}, err
		}
		c.out = append(c.out, '}')
		return Record{JSON: c.out, Dims: d}, nil
	case verFirefoxOS:
		return c.firefoxOS(text)
	case verConverted, verUnifiedConverted:
		return c.pass(text, begin, end)
	}
	return Record{}, badConversion("Unknown payload version: " + python(ver))
}

// rewrite writes the members of a ping with its histograms converted by spec (as
// they are without one) and ver raised.
func (c *Converter) rewrite(text []byte, ping *object, spec *revisions.Spec) error {
	var rewritten *member
	for i := range ping.members {
		m := &ping.members[i]
		if !ping.counts(i) {
			continue
		}
		c.key(m.key)
		switch {
		case spec != nil && jsonscan.Is(m.key, "histograms"):
			if err := c.histograms(text, m, spec); err != nil {
				return err
			}
			rewritten = m
		case ping == &c.top && jsonscan.Is(m.key, "ver"):
			c.out = strconv.AppendInt(c.out, verConverted, 10)
		case c.isInfo(m, text):
			c.filledInfo(text[m.start:m.end])
		default:
			c.out = append(c.out, text[m.start:m.end]...)
		}
	}
	return ping.verify(text, rewritten)
}

// pass returns a ping that is converted already.
func (c *Converter) pass(text []byte, begin, end int) (Record, error) {
	info, err := c.infoOf(text, &c.top)
	if err != nil {
		return Record{}, err
	}
	d, err := c.dimensions(text, info)
	if err == nil {
		err = c.top.verify(text, nil)
	}
	if err != nil {
		return Record{}, err
	}
	if c.top.superseded == nil {
		return Record{JSON: text[begin:end], Dims: d}, nil
	}
	c.out = append(c.out[:0], text[begin:end]...)
	c.out = keepLast(c.out, 0)
	return Record{JSON: c.out, Dims: d}, nil
}

// firefoxOS converts a ping of Firefox OS 1.3, which has its info at the top.
func (c *Converter) firefoxOS(text []byte) (Record, error) {
	if err := c.top.verify(text, nil); err != nil {
		return Record{}, err
	}
	c.out = append(c.out[:0], '{')
	for i, m := range c.top.members {
		if !c.top.counts(i) || jsonscan.Is(m.key, "info") || jsonscan.Is(m.key, "pingID") {
			continue
		}
		c.key(m.key)
		if jsonscan.Is(m.key, "ver") {
			c.out = strconv.AppendInt(c.out, verConverted, 10)
		} else {
			c.out = append(c.out, text[m.start:m.end]...)
		}
	}
	c.fields = append(c.fields[:0], field{"reason", []byte(`"ftu"`)}, field{"appName", []byte(`"FirefoxOS"`)})
	for _, f := range [...]struct{ name, from string }{
		{"appUpdateChannel", "deviceinfo.update_channel"},
		{"appBuildID", "deviceinfo.platform_build_id"},
		{"appVersion", "deviceinfo.platform_version"},
	} {
		value := []byte(`"` + schema.Unknown + `"`)
		if m := c.top.find(f.from); m != nil {
			value = text[m.start:m.end]
		}
		c.fields = append(c.fields, field{f.name, value})
	}
	c.writeInfo()
	c.out = append(c.out, '}')
	return c.withFields()
}

// infoOf indexes the info of a ping.
func (c *Converter) infoOf(text []byte, ping *object) (*object, error) {
	m := ping.find("info")
	if m == nil || text[m.start] == 'n' {
		return nil, badConversion("Missing in payload: info")
	}
	if text[m.start] != '{' {
		return nil, badConversion("Not an object: info")
	}
	_, err := c.info.index(text, m.start, nil)
	return &c.info, err
}

// revision returns the info of a ping and the definitions for its histograms;
// none if it has neither revision nor histograms.
func (c *Converter) revision(ctx context.Context, text []byte, ping *object) (*object, *revisions.Spec, error) {
	info, err := c.infoOf(text, ping)
	if err != nil {
		return nil, nil, err
	}
	c.filled = c.filled[:0]
	revision, histograms := info.find("revision"), ping.find("histograms")
	switch {
	case revision == nil && histograms == nil:
		return info, nil, nil
	case revision == nil:
		if c.url, err = c.findRevision(text, ping, info); err != nil {
			return nil, nil, err
		}
		spec, err := c.spec(ctx, c.url)
		return info, spec, err
	case histograms == nil:
		return nil, nil, badConversion("Missing in payload: histograms")
	case text[revision.start] != '"':
		return nil, nil, badConversion("Invalid revision URL: " + python(text[revision.start:revision.end]))
	}
	c.url = jsonscan.Unquote(text[revision.start+1 : revision.end-1])
	spec, err := c.spec(ctx, c.url)
	return info, spec, err
}

// key begins a member of the object that is being written.
func (c *Converter) key(raw []byte) {
	if c.out[len(c.out)-1] != '{' {
		c.out = append(c.out, ',')
	}
	c.out = append(c.out, '"')
	c.out = append(c.out, raw...)
	c.out = append(c.out, '"', ':')
}

// version returns the number that a ver or version is; -1 if it is none.
func version(value []byte) int {
	if len(value) == 1 && value[0]-'0' <= 9 {
		return int(value[0] - '0')
	}
	if c := value[0]; c == '-' || c-'0' <= 9 {
		if f, ok := jsonscan.Float(value); ok && f == float64(int(f)) {
			return int(f)
		}
	}
	return -1
}

// python spells a JSON value as the predecessor's messages did: strings bare,
// null as None, booleans with a capital letter, the rest as it was written.
func python(value []byte) string {
	switch value[0] {
	case '"':
		return string(jsonscan.Unquote(value[1 : len(value)-1]))
	case 'n':
		return "None"
	case 't':
		return "True"
	case 'f':
		return "False"
	}
	return string(value)
}
