package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// ErrSchema is returned (wrapped) by ParseSchema for a document that is not a
// schema: bad JSON, unknown keys, or dimensions other than DimNames in order.
var ErrSchema = errors.New("not a dimension schema")

// Values is the set of values that one dimension allows. The zero value allows
// nothing.
type Values struct {
	any    bool
	list   []string
	lo, hi *string // inclusive, compared as strings
	re     *regexp.Regexp
	ranges []func(value string) bool // of a Condition
}

// Anything returns the set of all values, "*" in a document.
func Anything() Values { return Values{any: true} }

// OneOf returns the set of exactly these values.
func OneOf(v ...string) Values { return Values{list: v} }

// Between returns the set of values from lo to hi, both inclusive, compared as
// strings ("9" > "10"). A nil bound is open.
func Between(lo, hi *string) Values { return Values{lo: lo, hi: hi} }

// Allows says whether v is in the set.
func (a Values) Allows(v string) bool {
	switch {
	case a.any:
		return true
	case a.list != nil || a.ranges != nil:
		return slices.Contains(a.list, v) || slices.ContainsFunc(a.ranges, func(holds func(string) bool) bool { return holds(v) })
	case a.re != nil:
		return a.re.MatchString(v)
	case a.lo == nil && a.hi == nil:
		return false
	}
	return (a.lo == nil || v >= *a.lo) && (a.hi == nil || v <= *a.hi)
}

// UnmarshalJSON reads every form of allowed_values: "*" (anything), a string
// (exactly it), a list of strings, {"min": …, "max": …} (inclusive, either may
// be absent), or {"regex": …} (RE2, matching the whole value).
func (a *Values) UnmarshalJSON(b []byte) error {
	*a = Values{}
	switch b = bytes.TrimSpace(b); {
	case len(b) > 0 && b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		if s == "*" {
			a.any = true
		} else {
			a.list = []string{s}
		}
		return nil
	case len(b) > 0 && b[0] == '[':
		a.list = []string{}
		if json.Unmarshal(b, &a.list) != nil {
			return fmt.Errorf("allowed_values %s: a list must be one of texts", b)
		}
		return nil
	case len(b) > 0 && b[0] == '{':
		var r struct {
			Min   *string `json:"min"`
			Max   *string `json:"max"`
			Regex *string `json:"regex"`
		}
		err := decodeStrict(b, &r)
		if err != nil {
			return err
		}
		if r.Regex == nil {
			a.lo, a.hi = r.Min, r.Max
			return nil
		}
		if r.Min != nil || r.Max != nil {
			return errors.New("regex cannot stand beside min or max")
		}
		if _, err := regexp.Compile(*r.Regex); err != nil {
			return fmt.Errorf("regex %q: %w", *r.Regex, err)
		}
		a.re, err = regexp.Compile(`\A(?:` + *r.Regex + `)\z`)
		return err
	}
	return fmt.Errorf("allowed_values %s: want \"*\", a string, a list, {min, max} or {regex}", b)
}

// sanitised returns the set as it applies to path components of dimension dim.
// A regular expression is matched against the component as it is.
func (a Values) sanitised(dim int) Values {
	if a.any || a.re != nil {
		return a
	}
	clean := func(p *string) *string {
		if p == nil {
			return nil
		}
		s := Sanitise(dim, *p)
		return &s
	}
	out := Values{lo: clean(a.lo), hi: clean(a.hi)}
	if a.list != nil {
		out.list = make([]string, len(a.list))
		for i, v := range a.list {
			out.list[i] = Sanitise(dim, v)
		}
	}
	return out
}

// Schema is the ordered list of dimensions with their allowed values. The same
// document, as a Filter, selects partitions. A Schema is immutable and safe for
// concurrent use.
type Schema struct {
	Version int
	Allowed [NumDims]Values
	// IncludeQuarantined is "include_invalid": as a filter, the document also selects
	// quarantined records.
	IncludeQuarantined bool
	text               []byte
}

// ParseSchema reads the predecessor's document: {"version": 1, "dimensions":
// [{"field_name": …, "allowed_values": …}, …], "include_invalid": false}. The
// dimensions must be DimNames in that order; trailing ones may be left out and
// then allow anything. Errors wrap ErrSchema.
func ParseSchema(doc []byte) (*Schema, error) {
	var d struct {
		Version        int  `json:"version"`
		IncludeInvalid bool `json:"include_invalid"`
		Dimensions     []struct {
			FieldName     string  `json:"field_name"`
			AllowedValues *Values `json:"allowed_values"`
		} `json:"dimensions"`
	}
	if err := decodeStrict(doc, &d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if len(d.Dimensions) > NumDims {
		return nil, fmt.Errorf("%w: %d dimensions, want at most %d", ErrSchema, len(d.Dimensions), NumDims)
	}
	s := &Schema{Version: d.Version, IncludeQuarantined: d.IncludeInvalid, text: bytes.Clone(doc)}
	for i := range s.Allowed {
		s.Allowed[i] = Anything()
	}
	for i, dim := range d.Dimensions {
		if dim.FieldName != DimNames[i] {
			return nil, fmt.Errorf("%w: dimension %d is %q, want %q", ErrSchema, i, dim.FieldName, DimNames[i])
		}
		if dim.AllowedValues == nil {
			return nil, fmt.Errorf("%w: dimension %q has no allowed_values", ErrSchema, dim.FieldName)
		}
		s.Allowed[i] = *dim.AllowedValues
	}
	return s, nil
}

// Text returns the document that the schema was parsed from. The caller must
// not change it.
func (s *Schema) Text() []byte { return s.text }

// Partition returns the partition that a submission with these dimensions
// belongs to: an empty value becomes UNKNOWN, one that is not allowed OTHER,
// and every value is sanitised. The date, which the server sets, is not judged.
func (s *Schema) Partition(d Dims) Dims {
	for i, v := range d {
		if v == "" {
			v = Unknown
		}
		if i != SubmissionDate && !s.Allowed[i].Allows(v) {
			v = Other
		}
		d[i] = Sanitise(i, v)
	}
	return d
}

func decodeStrict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return plainJSON(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("text after the document")
	}
	return nil
}

// Repartition returns the partition of a record that lies in a partition of
// another schema: d holds clean values, and so are the allowed ones compared.
func (s *Schema) Repartition(d Dims) Dims {
	for i := range d {
		if i != SubmissionDate && !s.Allowed[i].sanitised(i).Allows(d[i]) {
			d[i] = Other
		}
		d[i] = Sanitise(i, d[i])
	}
	return d
}

// plainJSON says in the words of JSON what encoding/json says in those of Go.
func plainJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON ends too early")
	}
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok { // an unknown field, or syntax
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	what := strings.TrimLeft(e.Field, ".")
	if what == "" {
		what = "it"
	}
	want := map[reflect.Kind]string{
		reflect.String: "text", reflect.Int: "a number", reflect.Bool: "true or false", reflect.Slice: "a list", reflect.Struct: "an object",
	}[e.Type.Kind()]
	return fmt.Errorf("%s must be %s, not %s", what, want, e.Value)
}
