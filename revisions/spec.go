package revisions

import (
	"bytes"
	"crypto/sha256"
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
	sum         [sha256.Size]byte
}

// Sum returns the SHA-256 of the text that was parsed.
func (s *Spec) Sum() [sha256.Size]byte { return s.sum }

// Parse reads a Histograms.json. A single bad definition does not spoil the
// file: it stays in the Spec with its Err. Of definitions with the same name the
// last one counts. Errors wrap ErrBadDefinitions.
func Parse(text []byte) (*Spec, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%w: not a JSON object", ErrBadDefinitions)
	}

	// Decode member by member, because a map would lose the order and repeated names.
	s := &Spec{byName: make(map[string]*Definition), sum: sha256.Sum256(text)}
	shared := make(map[bucketing]*Definition)
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadDefinitions, err)
		}

		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadDefinitions, err)
		}

		s.add(parseDefinition(name.(string), raw, shared))
	}

	// The object must end, and nothing may follow it.
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadDefinitions, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: text after the object", ErrBadDefinitions)
	}

	return s, nil
}

// add adds d, in the place of an earlier definition with the same name if there is
// one.
func (s *Spec) add(d *Definition) {
	if before := s.byName[d.Name]; before != nil {
		d.Index = before.Index
		s.definitions[d.Index] = d
	} else {
		d.Index = len(s.definitions)
		s.definitions = append(s.definitions, d)
	}
	s.byName[d.Name] = d
}

// startup is the prefix of the copies that browsers make of some histograms
// when the start is over. Definitions do not have it.
const startup = "STARTUP_"

// Lookup returns the definition with exactly this name. For a name that begins
// with STARTUP_ and is not defined itself, it returns the definition of the rest.
// It returns nil if there is no definition. Test its Err before use. Lookup does
// not allocate.
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
// recognised the histograms that have a STARTUP_ copy.
var early = [...]string{"SQLITE", "HTTP", "SPDY", "CACHE", "DNS"}

// BucketTables returns the JSON document of every histogram's bounds as the
// predecessor's histogram server served it: {"histograms": {NAME: {"kind", "min",
// "buckets", "max", "bucket_count"}}}. Its kind is a type code. Copies with
// STARTUP_ are in it, definitions that cannot be used are not. It is in file order.
func (s *Spec) BucketTables() []byte {
	var out bytes.Buffer
	out.WriteString(`{"histograms":{`)
	// The document keeps the file's order, which a map would lose.
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

		// The copy comes right behind the original, unless it is defined itself.
		table(d.Name, d)
		if copied := startup + d.Name; hasStartupCopy(d.Name) && s.byName[copied] == nil {
			table(copied, d)
		}
	}

	out.WriteString("}}")
	return out.Bytes()
}

// hasStartupCopy says whether browsers copy the histogram of this name when the
// start is over.
func hasStartupCopy(name string) bool {
	for _, part := range early {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
