package revisions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// ErrBadDefinitions is returned (wrapped) for a text that is not a
// Histograms.json: not JSON, or not an object.
var ErrBadDefinitions = errors.New("bad histogram definitions")

// Spec is the definitions of one Histograms.json. It is immutable and safe for
// concurrent use.
type Spec struct {
	definitions []*Definition // in file order
	byName      map[string]*Definition
}

// Parse reads a Histograms.json. A single bad definition does not sink the
// file: it is kept with its Err. Of definitions with the same name the last one
// counts. Errors wrap ErrBadDefinitions.
func Parse(text []byte) (*Spec, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%w: not a JSON object", ErrBadDefinitions)
	}
	s := &Spec{byName: make(map[string]*Definition)}
	shared := make(map[layout]*Definition)
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadDefinitions, err)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadDefinitions, err)
		}
		d := define(name.(string), raw, shared)
		if before := s.byName[d.Name]; before != nil {
			d.Index = before.Index
			s.definitions[d.Index] = d
		} else {
			d.Index = len(s.definitions)
			s.definitions = append(s.definitions, d)
		}
		s.byName[d.Name] = d
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadDefinitions, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: text after the object", ErrBadDefinitions)
	}
	return s, nil
}

// startup is the prefix of the copies that browsers take of some histograms
// when the start is over. Definitions do not have it.
const startup = "STARTUP_"

// Lookup returns the definition with exactly this name; else, for a name that
// begins with STARTUP_, that of the rest; nil if there is none. Test its Err
// before use. It does not allocate.
func (s *Spec) Lookup(name []byte) *Definition {
	if d := s.byName[string(name)]; d != nil {
		return d
	}
	if len(name) > len(startup) && string(name[:len(startup)]) == startup {
		return s.byName[string(name[len(startup):])]
	}
	return nil
}

// Definitions returns all definitions, those with an Err too, in file order.
func (s *Spec) Definitions() iter.Seq[*Definition] {
	return func(yield func(*Definition) bool) {
		for _, d := range s.definitions {
			if !yield(d) {
				return
			}
		}
	}
}

// early are the parts of a name by which the predecessor's histogram server
// knew the histograms that have a STARTUP_ copy.
var early = [...]string{"SQLITE", "HTTP", "SPDY", "CACHE", "DNS"}

// BucketTables returns the JSON document of every histogram's bounds that the
// predecessor's histogram server gave: {"histograms": {NAME: {"kind", "min",
// "buckets", "max", "bucket_count"}}}, kind being a type code, with STARTUP_
// copies, without definitions that cannot be used, in file order.
func (s *Spec) BucketTables() []byte {
	var out bytes.Buffer
	out.WriteString(`{"histograms":{`)
	table := func(name string, d *Definition) {
		if out.Bytes()[out.Len()-1] != '{' {
			out.WriteByte(',')
		}
		key, _ := json.Marshal(name)
		buckets, _ := json.Marshal(d.bounds)
		fmt.Fprintf(&out, `%s:{"kind":"%d","min":%d,"buckets":%s,"max":%d,"bucket_count":%d}`,
			key, d.Kind.TypeCode(), d.Low, buckets, d.High, d.BucketCount)
	}
	for _, d := range s.definitions {
		if d.Err != nil {
			continue
		}
		table(d.Name, d)
		for _, part := range early {
			if copied := startup + d.Name; strings.Contains(d.Name, part) && s.byName[copied] == nil {
				table(copied, d)
				break
			}
		}
	}
	out.WriteString("}}")
	return out.Bytes()
}
