package revisions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// replacements are the values of the C++ constants in Histograms.json. They are
// those of one revision, and near enough for the others. Texts are replaced when
// they come from a server, so that cached files have numbers; a file that came
// from elsewhere stays as it is.
var replacements = []struct{ constant, number string }{
	{`"JS::gcreason::NUM_TELEMETRY_REASONS"`, "101"},
	{`"mozilla::StartupTimeline::MAX_EVENT_ID"`, "12"},
	{`"80 + 1"`, "81"},
}

// replaceConstants returns text with the known constants as numbers.
func replaceConstants(text []byte) []byte {
	for _, r := range replacements {
		text = bytes.ReplaceAll(text, []byte(r.constant), []byte(r.number))
	}
	return text
}

// sizeWasReplaced says whether d is one of the histograms whose size was one of
// the constants.
func sizeWasReplaced(d *Definition) bool {
	if d.Kind != Enumerated {
		return false
	}
	return d.High == 101 && strings.Contains(d.Name, "REASON") || d.High == 12 && d.Name == "STARTUP_MEASUREMENT_ERRORS"
}

// rawDefinition is one member of Histograms.json; attributes that do not touch
// the buckets are left out. Numbers may be strings with expressions.
type rawDefinition struct {
	Kind     string          `json:"kind"`
	Low      json.RawMessage `json:"low"`
	High     json.RawMessage `json:"high"`
	NBuckets json.RawMessage `json:"n_buckets"`
	NValues  json.RawMessage `json:"n_values"`
	Labels   []string        `json:"labels"`
	Keyed    json.RawMessage `json:"keyed"` // true or "true"
}

// bucketing is a histogram's kind, range and bucket count, of which its bounds and
// its opening are functions.
type bucketing struct {
	kind         Kind
	low, high, n int
}

// parseDefinition reads one definition. Definitions of equal bucketing share their
// bounds, which shared holds. A definition that cannot be used has an Err.
func parseDefinition(name string, text json.RawMessage, shared map[bucketing]*Definition) *Definition {
	unusable := func(err error) *Definition {
		return &Definition{Name: name, Err: fmt.Errorf("definition of %s: %w", name, err)}
	}

	// Pings use the character between a histogram's name and a key.
	if strings.Contains(name, "#") {
		return unusable(errors.New(`'#' is not permitted in a name`))
	}

	var raw rawDefinition
	if err := json.Unmarshal(text, &raw); err != nil {
		return unusable(err)
	}

	key, err := raw.bucketing()
	if err != nil {
		d := unusable(err)
		d.Unsized = isUnknownExpression(raw.NBuckets) || key.kind == Enumerated && isUnknownExpression(raw.NValues)
		return d
	}

	// Most definitions share their bucketing with many others: compute its bounds once.
	like := shared[key]
	if like == nil {
		if like, err = NewDefinition(name, key.kind, key.low, key.high, key.n); err != nil {
			return unusable(err)
		}

		shared[key] = like
	}

	d := *like
	d.Name = name
	d.Labels = raw.Labels
	d.Guessed = sizeWasReplaced(&d)
	d.Keyed = bytes.Equal(raw.Keyed, []byte("true")) || bytes.Equal(raw.Keyed, []byte(`"true"`))
	return &d
}

// bucketing computes kind, range and bucket count. With an error the kind is set
// all the same, if it is known.
func (r *rawDefinition) bucketing() (b bucketing, err error) {
	number := func(attribute string, raw json.RawMessage) (v int) {
		if err == nil { // else the first error stays
			v, err = integer(attribute, raw)
		}

		return v
	}

	// The attributes that count depend on the kind.
	b.kind = Kind(slices.Index(kindNames[:], r.Kind)) // -1 becomes 255, an unknown kind
	switch b.kind {
	case Boolean, Flag, Count:
		b.low, b.high, b.n = 1, 2, 3
	case Enumerated:
		b.low = 1
		b.high = number("n_values", r.NValues)
		b.n = b.high + 1
		if b.high == 1 { // browsers need three buckets even for one value
			b.high, b.n = 2, 3
		}
	case Categorical:
		// Room for labels to come; one more bucket is for what has no label.
		b.low, b.high = 1, defaultLabels
		if r.NValues != nil {
			b.high = number("n_values", r.NValues)
		}
		b.high = max(b.high, len(r.Labels))
		b.n = b.high + 1
	case Linear, Exponential:
		b.low = 1
		if r.Low != nil {
			b.low = number("low", r.Low)
		}

		b.high = number("high", r.High)
		b.n = number("n_buckets", r.NBuckets)
	default:
		err = fmt.Errorf("don't know how to handle a histogram of kind %q", r.Kind)
	}

	return b, err
}

// defaultLabels is how many labels a categorical histogram has room for unless its
// definition says otherwise.
const defaultLabels = 50

// integer reads a number of a definition: a JSON integer, or a string with an
// expression.
func integer(attribute string, raw json.RawMessage) (int, error) {
	text := string(raw)
	if text == "" {
		return 0, fmt.Errorf("%s is missing", attribute)
	}
	if text[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, fmt.Errorf("%s: %w", attribute, err)
		}
	}

	v, err := evaluate(text)
	if err == nil && (v > 1<<31 || v < -1<<31) {
		err = errors.New("out of range")
	}
	if err != nil {
		return 0, fmt.Errorf("%s is not an integer: %w", attribute, err)
	}

	return int(v), nil
}

// isUnknownExpression says whether a number is given by an expression that has no
// value for us.
func isUnknownExpression(raw json.RawMessage) bool {
	if len(raw) == 0 || raw[0] != '"' {
		return false
	}
	_, err := integer("", raw)
	return err != nil
}
