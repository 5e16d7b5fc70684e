package convert

import (
	"strings"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// splitPath returns the document ID and, if the path has them, the dimensions
// that it claims, in schema order.
func splitPath(path string) (string, schema.Dims, error) {
	id, d, ok := schema.SplitSubmissionPath(path)
	if !ok {
		return "", d, reject(ClassPath, "the path has neither an ID alone nor an ID and five dimensions")
	}

	return id, d, checkID(id)
}

// checkID refuses IDs that would break a record's line, or text in general.
func checkID(id string) error {
	if id == "" {
		return reject(ClassPath, "the path has no document ID")
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return reject(ClassPath, "control character in the document ID")
	}
	if !utf8.ValidString(id) {
		return reject(ClassPath, "the document ID is not UTF-8")
	}
	return nil
}

func (c *Converter) mismatched(claimed, found schema.Dims) (bits uint8) {
	if claimed == found {
		return 0
	}
	claimed, found = c.o.Schema.Partition(claimed), c.o.Schema.Partition(found)
	for i := range found {
		if claimed[i] != found[i] {
			bits |= 1 << i
		}
	}
	return bits
}

// interner keeps one string per value, so that the few values that dimensions
// have are not copied for every ping.
type interner map[string]string

func (in interner) of(b []byte) string {
	if s, ok := in[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(in) < 4096 && len(s) <= 100 {
		in[s] = s
	}
	return s
}

// dimensionOf returns the value of a dimension as text: a string's value, a
// number or a boolean as spelled, "UNKNOWN" for null.
func (c *Converter) dimensionOf(name string, value []byte) (string, error) {
	switch value[0] {
	case '"':
		return c.dims.of(jsonscan.Unquote(value[1 : len(value)-1])), nil
	case '{', '[':
		return "", badConversion("Invalid dimension: " + name)
	case 'n':
		return schema.Unknown, nil
	}
	return c.dims.of(value), nil
}

// dimensions reads the dimensions from the members of info.
func (c *Converter) dimensions(text []byte, info *object) (d schema.Dims, err error) {
	for i, name := range schema.DimNames[:schema.SubmissionDate] {
		d[i] = schema.Unknown
		if m := info.find(name); m != nil {
			if d[i], err = c.dimensionOf(name, text[m.start:m.end]); err != nil {
				return d, err
			}
		}
	}
	return d, nil
}
