package convert

import (
	"bytes"
	"context"
	"strconv"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

// member is where a member of an object lies in the text.
type member struct {
	key        []byte // as written, between the quotes
	start, end int    // of the value
	unchecked  bool   // the value was only skipped
}

// object is an index of one object's members, in document order, in memory that
// is used again.
type object struct {
	members    []member
	superseded []bool // by supersede: member i has a later namesake; nil if none has
}

// index reads the members of the object at text[i] and returns the offset behind
// it. All values are checked, except those with the names in lazy, which whoever
// takes them apart checks, or verify. done (or nil) is histograms whose end is
// known. The error is a *jsonscan.SyntaxError.
func (o *object) index(text []byte, i int, done *ahead, lazy ...string) (end int, err error) {
	o.members, o.superseded = o.members[:0], nil
	it := jsonscan.Members(text, i)
	for it.Next() {
		skipped := false
		for _, name := range lazy {
			if skipped = string(it.Key) == name; skipped {
				if done != nil && done.start == it.Start {
					it.SetEnd(done.end)
				} else {
					it.SetEnd(jsonscan.SkipTrusted(text, it.Start))
				}
				break
			}
		}
		o.members = append(o.members, member{it.Key, it.Start, it.End(), skipped})
	}
	return it.After(), it.Err()
}

// verify checks what index only skipped, but for the member that the caller has
// checked (or nil). The error is a *Reject.
func (o *object) verify(text []byte, checked *member) error {
	for i := range o.members {
		m := &o.members[i]
		if !m.unchecked || m == checked {
			continue
		}
		if end, err := jsonscan.Skip(text, m.start); err != nil {
			return badJSON(err)
		} else if end != m.end {
			return badJSON(jsonscan.Valid(text)) // skipping went astray, so this is not nil
		}
	}
	return nil
}

// supersede finds members with the same name, of which only the last counts.
func (o *object) supersede() {
	double := false
	if len(o.members) <= 40 {
		for i, m := range o.members {
			if bytes.IndexByte(m.key, '\\') >= 0 {
				double = true // perhaps; found out below
			}
			for _, n := range o.members[:i] {
				double = double || string(n.key) == string(m.key)
			}
		}
		if !double {
			return
		}
	}
	last := make(map[string]int, len(o.members))
	for i, m := range o.members {
		name := string(jsonscan.Unquote(m.key))
		if before, ok := last[name]; ok {
			if o.superseded == nil {
				o.superseded = make([]bool, len(o.members))
			}
			o.superseded[before] = true
		}
		last[name] = i
	}
}

// counts says whether no later member has the name of member i.
func (o *object) counts(i int) bool { return o.superseded == nil || !o.superseded[i] }

// find returns the member with this name, the last one if there are several;
// nil if there is none.
func (o *object) find(name string) *member {
	for i := len(o.members) - 1; i >= 0; i-- {
		if jsonscan.Is(o.members[i].key, name) {
			return &o.members[i]
		}
	}
	return nil
}

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
		value := []byte(`"` + layout.Unknown + `"`)
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
