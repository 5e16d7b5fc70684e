package convert

import (
	"strings"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/jsonscan"
)

// splitPath returns the document ID and, if the path has them, the dimensions
// that it claims, in schema order.
func splitPath(path string) (id string, d layout.Dims, err error) {
	if strings.Count(path, "/") == layout.NumDims-1 {
		p := strings.SplitN(path, "/", layout.NumDims)
		id = p[0]
		d = layout.Dims{p[1], p[2], p[4], p[3], p[5]} // the URL has the version before the channel
	} else if id = path; strings.Contains(path, "/") {
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

func (c *Converter) mismatched(claimed, found layout.Dims) (bits uint8) {
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
		return layout.Unknown, nil
	}
	return c.dims.of(value), nil
}

// dimensions reads the dimensions from the members of info.
func (c *Converter) dimensions(text []byte, info *object) (d layout.Dims, err error) {
	for i, name := range layout.DimNames[:layout.Date] {
		d[i] = layout.Unknown
		if m := info.find(name); m != nil {
			if d[i], err = c.dimensionOf(name, text[m.start:m.end]); err != nil {
				return d, err
			}
		}
	}
	return d, nil
}
