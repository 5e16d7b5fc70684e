package schema

import (
	"bytes"
	"cmp"
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
	// Conditions may have both values and ranges.
	case a.list != nil || a.ranges != nil:
		return slices.Contains(a.list, v) || slices.ContainsFunc(a.ranges, func(holds func(string) bool) bool { return holds(v) })
	case a.re != nil:
		return a.re.MatchString(v)
	case a.lo == nil && a.hi == nil:
		return false
	}
	return (a.lo == nil || v >= *a.lo) && (a.hi == nil || v <= *a.hi)
}

// Unbounded says whether the set has no list of its values.
func (a Values) Unbounded() bool { return a.list == nil || a.ranges != nil }

// some says whether the set may allow anything at all.
func (a Values) some() bool {
	return a.any || len(a.list) > 0 || a.lo != nil || a.hi != nil || a.re != nil || len(a.ranges) > 0
}

// UnmarshalJSON reads every form of allowed_values: "*" (anything), a string
// (exactly it), a list of strings, {"min": …, "max": …} (inclusive, either may
// be absent), or {"regex": …} (RE2, matching the whole value).
func (a *Values) UnmarshalJSON(doc []byte) error {
	*a = Values{}
	doc = bytes.TrimSpace(doc)
	switch {
	case bytes.HasPrefix(doc, []byte{'"'}):
		return a.unmarshalText(doc)
	case bytes.HasPrefix(doc, []byte{'['}):
		a.list = []string{} // so that [] allows nothing, rather than having no form
		if json.Unmarshal(doc, &a.list) != nil {
			return fmt.Errorf("allowed_values %s: a list must be one of texts", doc)
		}
		return nil
	case bytes.HasPrefix(doc, []byte{'{'}):
		return a.unmarshalObject(doc)
	}
	return fmt.Errorf("allowed_values %s: want \"*\", a string, a list, {min, max} or {regex}", doc)
}

// unmarshalText reads "*" or a single value.
func (a *Values) unmarshalText(doc []byte) error {
	var text string
	if err := json.Unmarshal(doc, &text); err != nil {
		return err
	}

	if text == "*" {
		*a = Anything()
	} else {
		*a = OneOf(text)
	}
	return nil
}

// unmarshalObject reads a range or a regular expression.
func (a *Values) unmarshalObject(doc []byte) error {
	var object struct {
		Min   *string `json:"min"`
		Max   *string `json:"max"`
		Regex *string `json:"regex"`
	}
	if err := decodeStrict(doc, &object); err != nil {
		return err
	}
	if object.Regex == nil {
		*a = Between(object.Min, object.Max)
		return nil
	}
	if object.Min != nil || object.Max != nil {
		return errors.New("regex cannot stand beside min or max")
	}

	// Compile it as it was written first: the error then quotes what the author knows.
	if _, err := regexp.Compile(*object.Regex); err != nil {
		return fmt.Errorf("regex %q: %w", *object.Regex, err)
	}

	whole, err := regexp.Compile(`\A(?:` + *object.Regex + `)\z`)
	a.re = whole
	return err
}

// sanitised returns the set as it applies to path components of dimension dim.
// A regular expression is matched against the component as it is.
func (a Values) sanitised(dim int) Values {
	if a.any || a.re != nil {
		return a
	}

	// Values are cleaned as those of partitions were, so that they compare equal.
	clean := func(bound *string) *string {
		if bound == nil {
			return nil
		}
		value := Sanitise(dim, *bound)
		return &value
	}
	out := Values{lo: clean(a.lo), hi: clean(a.hi)}

	// An empty list stays one: it allows nothing.
	if a.list != nil {
		out.list = make([]string, 0, len(a.list))
		for _, value := range a.list {
			out.list = append(out.list, forms(dim, value)...)
		}
	}
	return out
}

// forms returns the sanitised forms of a value: as it is written now and, if that has
// dashes, as it was before values kept theirs.
func forms(dim int, value string) []string {
	form := Sanitise(dim, value)
	if strings.Contains(form, "-") {
		return []string{form, strings.ReplaceAll(form, "-", "_")}
	}
	return []string{form}
}

// Schema is the ordered list of dimensions with their allowed values. The same
// document, as a Filter, selects partitions. A Schema is immutable and safe for
// concurrent use.
type Schema struct {
	Version int
	Allowed [NumDims]Values
	// Namespaces are the namespaces, other than telemetry, whose pings have the namespace
	// as application and any type as reason. The zero value allows none.
	Namespaces Values
	// IncludeQuarantined is "include_invalid": as a filter, the document also selects
	// quarantined records.
	IncludeQuarantined bool
	text               []byte
}

// ParseSchema reads the predecessor's document: {"version": 1, "dimensions":
// [{"field_name": …, "allowed_values": …}, …], "include_invalid": false}, and
// "namespaces", in the form of allowed_values. The dimensions must be DimNames in that order; trailing ones may be left out and
// then allow anything. Errors wrap ErrSchema.
func ParseSchema(doc []byte) (*Schema, error) {
	var document struct {
		Version        int    `json:"version"`
		IncludeInvalid bool   `json:"include_invalid"`
		Namespaces     Values `json:"namespaces"`
		Dimensions     []struct {
			FieldName     string  `json:"field_name"`
			AllowedValues *Values `json:"allowed_values"`
		} `json:"dimensions"`
	}
	if err := decodeStrict(doc, &document); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if len(document.Dimensions) > NumDims {
		return nil, fmt.Errorf("%w: %d dimensions, want at most %d", ErrSchema, len(document.Dimensions), NumDims)
	}

	// Dimensions that the document leaves out allow anything.
	schema := &Schema{Version: document.Version, Namespaces: document.Namespaces, IncludeQuarantined: document.IncludeInvalid, text: bytes.Clone(doc)}
	for dim := range schema.Allowed {
		schema.Allowed[dim] = Anything()
	}

	for dim, row := range document.Dimensions {
		if row.FieldName != DimNames[dim] {
			return nil, fmt.Errorf("%w: dimension %d is %q, want %q", ErrSchema, dim, row.FieldName, DimNames[dim])
		}
		if row.AllowedValues == nil {
			return nil, fmt.Errorf("%w: dimension %q has no allowed_values", ErrSchema, row.FieldName)
		}
		schema.Allowed[dim] = *row.AllowedValues
	}
	return schema, nil
}

// Text returns the document that the schema was parsed from. The caller must
// not change it.
func (s *Schema) Text() []byte { return s.text }

// Partition returns the partition that a submission with these dimensions
// belongs to: an empty value becomes UNKNOWN, one that is not allowed OTHER,
// and every value is sanitised. Pings of a namespace keep UNKNOWN for any dimension. The date comes from the server: any is allowed.
func (s *Schema) Partition(d Dims) Dims {
	ofNamespace := s.IsNamespace(d)
	for dim, value := range d {
		if value == "" {
			value = Unknown
		}
		if dim != SubmissionDate && !s.Allowed[dim].Allows(value) && !(ofNamespace && (dim <= AppName || value == Unknown)) {
			value = Other
		}

		// The schema names values as clients send them, so they are compared before this.
		d[dim] = Sanitise(dim, value)
	}
	return d
}

// IsNamespace says whether the application of d, sanitised or not, is a namespace that
// the schema allows, and not one of its applications.
func (s *Schema) IsNamespace(d Dims) bool {
	app := d[AppName]
	return IsNamespace(app) && IsNamespace(d[Reason]) && s.Namespaces.Allows(app) && !s.Allowed[AppName].Allows(app)
}

// WithoutNamespace returns a partition of a namespace without namespace and type.
func WithoutNamespace(p Dims) Dims {
	p[Reason] = Other
	p[AppName] = Other
	return p
}

// Overflow returns the partition for what does not get the partition p of its own, because
// there are too many: dimensions that the schema lets have any number of values are OTHER.
// The date, listed values and UNKNOWN stay. So there are few such partitions.
func (s *Schema) Overflow(p Dims) Dims {
	if s.IsNamespace(p) {
		p = WithoutNamespace(p)
	}
	for dim, value := range p {
		if dim != SubmissionDate && value != Unknown && s.Allowed[dim].Unbounded() {
			p[dim] = Other
		}
	}
	return p
}

// Repartition returns the partition of a record that is in a partition of another
// schema. The values of d are sanitised; they are compared with the allowed ones in
// their sanitised form.
func (s *Schema) Repartition(d Dims) Dims {
	ofNamespace := s.IsNamespace(d)
	for dim, value := range d {
		if dim != SubmissionDate && !s.Allowed[dim].sanitised(dim).Allows(value) && !(ofNamespace && (dim <= AppName || value == Unknown)) {
			value = Other
		}

		d[dim] = Sanitise(dim, value)
	}
	return d
}

// decodeStrict decodes a JSON document into target, which must have all its keys.
func decodeStrict(doc []byte, target any) error {
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(target); err != nil {
		return plainJSON(err)
	}

	// Decode stops behind the first document; a second one is a mistake of its author.
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("text after the document")
	}
	return nil
}

// plainJSON rewrites an error of encoding/json, which names types of Go, in the words
// of JSON.
func plainJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON ends too early")
	}

	// Other errors are an unknown field, or syntax.
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}

	// An error of the whole document names no field.
	field := cmp.Or(strings.TrimLeft(mismatch.Field, "."), "it")
	want := map[reflect.Kind]string{
		reflect.String: "text", reflect.Int: "a number", reflect.Bool: "true or false", reflect.Slice: "a list", reflect.Struct: "an object",
	}[mismatch.Type.Kind()]
	return fmt.Errorf("%s must be %s, not %s", field, want, mismatch.Value)
}
