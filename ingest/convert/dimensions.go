package convert

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// parsePath returns what the path of a submission says.
func parsePath(path string) (schema.Submitted, error) {
	submitted, ok := schema.ParseSubmissionPath(path)
	if !ok {
		return submitted, reject(ClassPath, fmt.Sprintf("the path has neither an ID alone nor an ID and %d dimensions", len(schema.URLOrder)))
	}

	return submitted, checkID(submitted.ID)
}

// checkID rejects IDs that would break a record's line, or text in general.
func checkID(id string) error {
	switch {
	case id == "":
		return reject(ClassPath, "the path has no document ID")
	case strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return reject(ClassPath, "control character in the document ID")
	case !utf8.ValidString(id):
		return reject(ClassPath, "the document ID is not UTF-8")
	}
	return nil
}

// mismatched returns the bits of Record.Mismatched.
func mismatched(s *schema.Schema, claimed, found schema.Dims) (bits uint8) {
	if claimed == found {
		return 0
	}
	claimed, found = s.Partition(claimed), s.Partition(found)
	for i := range found {
		if claimed[i] != found[i] {
			bits |= 1 << i
		}
	}
	return bits
}

// dimensions returns the dimensions as text, without the date. The error is a
// *Rejection.
func (p *plan) dimensions(values jsonscan.Interner) (dims schema.Dims, err error) {
	for i, name := range schema.DimNames[:schema.SubmissionDate] {
		if p.dims[i] == nil && p.claimed[i] != "" {
			dims[i] = p.claimed[i]
			continue
		}

		text, ok := dimensionText(values, p.dims[i])
		if !ok {
			return schema.Dims{}, reject(ClassConversion, "Invalid dimension: "+name)
		}
		dims[i] = text
	}
	return dims, nil
}

// dimensionText returns the value of a dimension as text: a string's value, a
// number or a boolean as spelled, "UNKNOWN" for null and for what is missing (nil).
// Objects and arrays are not ok.
func dimensionText(values jsonscan.Interner, value []byte) (text string, ok bool) {
	if value == nil {
		return schema.Unknown, true
	}
	switch value[0] {
	case '"':
		return values.String(jsonscan.Unquote(value[1 : len(value)-1])), true
	case '{', '[':
		return "", false
	case 'n':
		return schema.Unknown, true
	}
	return values.String(value), true
}
