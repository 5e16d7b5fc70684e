package convert

import (
	"bytes"
	"strings"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// flatten writes the members of a saved-session ping's payload as members of the
// top level. Where a name is taken, "payload." goes before it.
func (c *Converter) flatten(text []byte, spec *revisions.Spec) error {
	var rewritten *member
	for i := range c.inner.members {
		m := &c.inner.members[i]
		if !c.inner.counts(i) || jsonscan.Is(m.key, "info") {
			continue
		}
		if jsonscan.Is(m.key, "ver") || c.top.find(string(jsonscan.Unquote(m.key))) != nil {
			c.key(append([]byte("payload."), m.key...))
		} else {
			c.key(m.key)
		}
		if jsonscan.Is(m.key, "histograms") {
			if err := c.histograms(text, m, spec); err != nil {
				return err
			}
			rewritten = m
		} else {
			c.out = append(c.out, text[m.start:m.end]...)
		}
	}
	return c.inner.verify(text, rewritten)
}

// mayCollide says whether flattening may have given a member a name that
// another one has.
func (c *Converter) mayCollide() bool {
	for _, o := range [...]*object{&c.top, &c.inner} {
		for _, m := range o.members {
			if name := jsonscan.Unquote(m.key); string(name) == "clientID" || bytes.HasPrefix(name, []byte("payload.")) {
				return true
			}
		}
	}
	return false
}

// mergeInfo adds what a saved-session ping's payload.info has and the new info
// does not have yet.
func (c *Converter) mergeInfo(text []byte, info *object) {
	info.supersede()
	own := len(c.fields)
	for i, m := range info.members {
		if name := string(jsonscan.Unquote(m.key)); info.counts(i) && find(c.fields[:own], name) == nil {
			c.fields = append(c.fields, field{string(m.key), text[m.start:m.end]})
		}
	}
}

// addEnvironment adds the fields of the classic info that a unified ping has in
// its environment.
func (c *Converter) addEnvironment(text []byte, environment *member) {
	c.addFields(text, environment.start, environmentFields, "")
	if os := find(c.fields, "OS"); os != nil && bytes.HasPrefix(os.value, []byte(`"Windows_`)) {
		os.value = []byte(`"WINNT"`)
	}
	adapters, ok := lookUp(text, environment.start, "system", "gfx", "adapters")
	if !ok || text[adapters] != '[' {
		return
	}
	suffixes := [...]string{"", "2"}
	n := 0
	for it := jsonscan.ElementsTrusted(text, adapters); n < len(suffixes) && it.Next(); n++ {
		c.addFields(text, it.Start, adapterFields, suffixes[n])
		if n == 1 {
			active := []byte("false")
			if at, ok := lookUp(text, it.Start, "GPUActive"); ok && truthy(text[at:jsonscan.SkipTrusted(text, at)]) {
				active = []byte("true")
			}
			c.setField("isGPU2Active", active)
		}
	}
}

// addFields adds the fields that the section at text[i] has, with a suffix to
// their names. One that is there already becomes "environment.<name>"; null
// counts as missing.
func (c *Converter) addFields(text []byte, i int, from []source, suffix string) {
	for _, s := range from {
		at, ok := lookUp(text, i, s.path...)
		if !ok || text[at] == 'n' {
			continue
		}
		name := s.name + suffix
		if find(c.fields, name) != nil {
			name = "environment." + name
		}
		c.setField(name, text[at:jsonscan.SkipTrusted(text, at)])
	}
}

// setField sets or replaces a field of the new info.
func (c *Converter) setField(name string, value []byte) {
	if f := find(c.fields, name); f != nil {
		f.value = value
	} else {
		c.fields = append(c.fields, field{name, value})
	}
}

func find(fields []field, name string) *field {
	for i := range fields {
		if f := &fields[i]; f.name == name || strings.IndexByte(f.name, '\\') >= 0 && jsonscan.Is([]byte(f.name), name) {
			return f
		}
	}
	return nil
}

// lookUp returns where the value at the end of a path of names lies, in text
// that has been checked. What is no object has no members.
func lookUp(text []byte, i int, path ...string) (at int, ok bool) {
	at = i
	for _, name := range path {
		if text[at] != '{' {
			return 0, false
		}
		it := jsonscan.MembersTrusted(text, at)
		for ok = false; it.Next(); {
			if jsonscan.Is(it.Key, name) {
				at, ok = it.Start, true
			}
		}
		if !ok {
			return 0, false
		}
	}
	return at, true
}

// writeInfo writes the new info as a member.
func (c *Converter) writeInfo() {
	c.key([]byte("info"))
	c.out = append(c.out, '{')
	for _, f := range c.fields {
		c.key([]byte(f.name))
		c.out = append(c.out, f.value...)
	}
	c.out = append(c.out, '}')
}

// withFields returns what was written, with the dimensions of the new info.
func (c *Converter) withFields() (Record, error) {
	r := Record{JSON: c.out}
	for i, name := range schema.DimNames[:schema.SubmissionDate] {
		r.Dims[i] = schema.Unknown
		if f := find(c.fields, name); f != nil {
			var err error
			if r.Dims[i], err = c.dimensionOf(name, f.value); err != nil {
				return Record{}, err
			}
		}
	}
	return r, nil
}

// truthy says whether the predecessor took a JSON value for true.
func truthy(value []byte) bool {
	switch c := value[0]; {
	case c == 'n' || c == 'f':
		return false
	case c == 't':
		return true
	case c == '"':
		return len(value) > 2
	case c == '{' || c == '[':
		return len(bytes.TrimSpace(value[1:len(value)-1])) > 0
	}
	f, _ := jsonscan.Float(value)
	return f != 0
}
